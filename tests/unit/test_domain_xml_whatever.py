"""Whatever comes as XML is read, or speaks against a save."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.host.libvirt.domain_xml import read_domain_info
from guestctl.model.guest import DomainInfo
from tests.unit.test_domain_xml import UNSAVABLE, disks_of, domain

# Whatever comes


def holds(info: DomainInfo) -> None:
    """What is true of every answer."""
    if info.disks is None:
        assert info.unsavable[0].startswith("its XML cannot be read: ")
        assert (info.manager, info.digest) == (None, "")
    else:
        assert info.digest


LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
HOSTILE = {
    "nothing": "",
    "no XML": "web",
    "cut off": "<domain><devices>",
    "two roots": "<a/><b/>",
    "zero": "<domain>\0</domain>",
    "surrogate": "<domain>\udcff</domain>",
    "surrogate in an attribute": "<domain a='\ud800'/>",
    "unknown entity": "<domain>&x;</domain>",
    "laughs": f"<!DOCTYPE d [<!ENTITY l0 'ha'>{LAUGHS}]><domain>&l11;</domain>",
    "file": "<!DOCTYPE d [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><domain>&f;</domain>",
    "unknown encoding": "<?xml version='1.0' encoding='bogus'?><domain/>",
    "other encoding": "<?xml version='1.0' encoding='utf-16'?><domain/>",
    "unbound prefix": "<domain><x:y/></domain>",
    "unclosed": "<domain>" * 10_000,
}


@pytest.mark.parametrize("xml", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_xml_is_no_error(xml: str) -> None:
    holds(read_domain_info(xml))


@pytest.mark.parametrize("xml", ["", "web", "<domain>", "<domain>\udcff</domain>"])
def test_what_cannot_be_read_speaks_against_a_save(xml: str) -> None:
    info = read_domain_info(xml, "<domain/>")
    assert info.disks is None
    assert info.unsavable


def test_huge_xml_is_read() -> None:
    disks = "".join(f"<disk><source file='/{n}'/></disk>" for n in range(20_000))
    found = disks_of(f"<devices>{disks}</devices>")
    assert found is not None
    assert len(found) == 20_000


names = ["domain", "devices", "disk", "source", "backingStore", "os", "nvram", "cpu", "feature"]
names += ["metadata", "hostdev", "interface", "filesystem", "driver", "shareable", "x"]
attributes = st.dictionaries(
    st.sampled_from(["type", "file", "dev", "name", "policy", "migratable", "protocol"]),
    st.sampled_from(["", "file", "block", "network", "virtiofs", "invtsc", "/a", "off", "\u00e4"]),
    max_size=3,
)


def _element(name: str, given_: dict[str, str], inside: list[str]) -> str:
    written = "".join(f" {key}='{value}'" for key, value in given_.items())
    return f"<{name}{written}>{''.join(inside)}</{name}>"


elements: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["", "text", "<source/>", "<shareable/>", "<backingStore/>"]),
    lambda inner: st.builds(
        _element, st.sampled_from(names), attributes, st.lists(inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(elements, max_size=6).map("".join))
def test_any_xml_with_these_words_is_read(inside: str) -> None:
    info = read_domain_info(domain(inside))
    assert info.disks is not None
    holds(info)


@given(st.text(), st.text())
@example("<domain/>", "\udcff")
def test_any_text_is_no_error(xml: str, definition: str) -> None:
    holds(read_domain_info(xml, definition))


SOUND = domain(UNSAVABLE[0][0] + "<os><nvram>/n</nvram></os>")


@given(st.integers(0, len(SOUND) - 1), st.characters())
def test_a_changed_character_is_no_error(place: int, character: str) -> None:
    holds(read_domain_info(SOUND[:place] + character + SOUND[place + 1 :]))
