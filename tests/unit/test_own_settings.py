"""Settings in a guest's own XML: what is read, and what is said of the rest."""

from __future__ import annotations

import shutil
import subprocess
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from guestctl.config.config import Config, GuestOverride
from guestctl.config.kinds import from_text, to_text
from guestctl.config.own import read_own
from guestctl.config.settings import GUEST_SETTINGS, General, Shutdown
from guestctl.decisions.policy import own_problems, resolve
from guestctl.host.libvirt.domain_xml import parsed, read_domain_info
from guestctl.host.libvirt.policy_xml import MOST, NAMESPACE
from guestctl.model.guest import DomainInfo, OwnSetting
from guestctl.model.options import Method, Scope
from tests.unit.makers import guest, texts
from tests.unit.test_domain_xml import domain
from tools.policy_schema import schema

SCHEMA = Path(__file__).parent.parent.parent / "docs/reference/policy.rng"
EXAMPLE = (
    f'<guestctl:policy xmlns:guestctl="{NAMESPACE}" save="none" after="db-* dns">'
    "<ready>agent</ready></guestctl:policy>"
)


def metadata(inside: str) -> str:
    return domain(f"<metadata>{inside}</metadata>")


def policy(inside: str) -> str:
    """Attributes, ">" and children."""
    return metadata(f"<g:policy xmlns:g='{NAMESPACE}' {inside}</g:policy>")


def profiles(inside: str) -> dict[str, dict[str, Any]]:
    """What counts in each profile."""
    found = read_own(read_domain_info(policy(inside)).policy).profiles
    return {name: dict(values) for name, values in found.items()}


def own(inside: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What counts, and what is wrong."""
    facts = guest(info=read_domain_info(policy(inside)))
    return dict(read_own(facts.info.policy).values), own_problems(Config(), facts)


# What is read


def test_the_example_of_the_reference() -> None:
    info = read_domain_info(metadata(EXAMPLE))
    assert info.policy == (("save", "none"), ("after", "db-* dns"), ("ready", "agent"))
    assert info.policy_faults == ()


#: Of saves and of starts: one key in two sections, and two in a guest's own XML.
CACHES = {"bypass_cache": False, "start_bypass_cache": True}
GIVEN = [
    ("save='none'>", {"save": Scope.NONE}),
    (">\n <save>\n none </save>\n", {"save": Scope.NONE}),
    ("><g:save>none</g:save>", {"save": Scope.NONE}),
    ("g:save='none'>", {"save": Scope.NONE}),
    ("save-timeout='90'>", {"save_timeout": 90.0}),
    ("save-timeout='1.5min'>", {"save_timeout": 90.0}),
    ("shutdown-timeout='infinity'>", {"shutdown_timeout": inf}),
    ("bypass-cache='false' start-bypass-cache='true'>", CACHES),
    ("restore='false' sync-time='true'>", {"restore": False, "sync_time": True}),
    ("order='20'>", {"order": 20}),
    ("order='none'>", {"order": None}),
    ("after='a\n b'><after>c d</after><g:after>e</g:after>", {"after": tuple("abcde")}),
    ("after=''>", {"after": ()}),
    ("methods='acpi'>", {"methods": (Method.ACPI,)}),
    ("user-shutdown='restart'>", {"action": "restart"}),
    (">", {}),
]


@pytest.mark.parametrize(("inside", "values"), GIVEN)
def test_what_counts(inside: str, values: dict[str, Any]) -> None:
    assert own(inside) == (values, ())


PROFILES = [
    ("><profile name='ups' save='none'/>", {"ups": {"save": Scope.NONE}}),
    (
        "><g:profile g:name='u' name='a.b'><g:save>none</g:save></g:profile>",
        {"a.b": {"save": Scope.NONE}},
    ),
    (
        "><profile name='a'><methods>acpi</methods></profile><profile name='b' save='all'/>",
        {"a": {"methods": (Method.ACPI,)}, "b": {"save": Scope.ALL}},
    ),
    ("><profile name='ups'/>", {}),
]


@pytest.mark.parametrize(("inside", "values"), PROFILES)
def test_what_counts_in_a_profile(inside: str, values: dict[str, dict[str, Any]]) -> None:
    assert profiles(inside) == values
    assert own(inside) == ({}, ())


WRONG = [
    ("><profile save='all'/>", "profile: it has no name, and is not read"),
    ("><profile name='u' sav='all'/>", 'profile.u.sav: unknown key; did you mean "save"?'),
    ("><profile name='u' order='1'/>", "profile.u.order: a profile has settings of [shutdown]"),
    (
        "><profile name='u' save='all'/><profile name='u' save='all'/>",
        "profile.u.save: it is given more",
    ),
    ("><profile name='u'><profile/></profile>", "profile.u.profile: unknown key"),
    ("><profile name='u'><save><a/></save></profile>", "profile.u.save: expected one of"),
    ("><profile name='u'>text</profile>", "text outside of its children means nothing"),
    ("profile='u'>", 'is for a [[guest]] of the configuration: "profile" means nothing here'),
    ("sav='none'>", 'sav: unknown key; did you mean "save"?'),
    ("save='never'>", 'save: expected one of "all", "persistent", "none", not "never"'),
    ("deadline='1h'>", "deadline: is for the whole run, and cannot differ from guest to guest"),
    ("order='-1'>", 'order: expected a whole number from 0 to 999999, or "none", not "-1"'),
    ("restore='yes'>", 'restore: expected true or false, not "yes"'),
    ("methods=''>", "methods: expected a list of one or more of"),
    ("after='a a'>", "the same word twice"),
    ("restore='true'><restore>true</restore>", "restore: it is given more than once"),
    ("><after><name>a</name></after>", "after: expected a text, not elements"),
    ("><after name='a'>b</after>", "after: its attributes mean nothing"),
    (">save = none", "text outside of its children means nothing"),
    ("xmlns:x='urn:x' x:save='none'>", "{urn:x}save: unknown key"),
    (f"order='{'9' * 4000}'>", "order: expected a whole number"),
]


@pytest.mark.parametrize(("inside", "problem"), WRONG)
def test_a_mistake_takes_nothing_from_other_settings(inside: str, problem: str) -> None:
    values, problems = own(f"poweroff='none' {inside}")
    assert values["poweroff"] is Scope.NONE
    assert len(problems) == 1
    assert problem in problems[0]


ELEMENTS = [
    ("<policy xmlns='urn:guestctl:policy:2' save='none'/>", "urn:guestctl:policy:2 is not known"),
    (f"<polcy xmlns='{NAMESPACE}' save='none'/>", 'is to be "policy", not "polcy"'),
    (f"<policy xmlns='{NAMESPACE}' after='{'a' * (MOST + 1)}'/>", f"more than {MOST} characters"),
]


@pytest.mark.parametrize(("element", "fault"), ELEMENTS)
def test_an_element_that_is_not_read_is_named(element: str, fault: str) -> None:
    info = read_domain_info(metadata(element))
    assert info.policy == ()
    assert fault in info.policy_faults[0]


def test_the_first_of_several_elements_counts() -> None:
    info = read_domain_info(metadata(EXAMPLE + EXAMPLE.replace("none", "all")))
    assert info.policy[0] == ("save", "none")
    assert info.policy_faults == ("there are several policy elements: the first one counts",)


def test_elements_of_others_are_none_of_ours() -> None:
    info = read_domain_info(metadata("<x:policy xmlns:x='urn:x' save='all'/><policy save='all'/>"))
    assert (info.policy, info.policy_faults) == ((), ())


def test_it_is_read_of_the_definition_and_not_of_what_runs() -> None:
    info = read_domain_info(metadata(EXAMPLE), metadata(EXAMPLE.replace("none", "all")))
    assert info.policy[0] == ("save", "all")
    gone = read_domain_info(metadata(EXAMPLE), "no XML")
    assert gone.disks == ()
    assert gone.policy == ()
    assert "its definition cannot be read" in gone.policy_faults[0]


def test_of_megabytes_no_tree_is_made() -> None:
    deep = f"<after>{'<a>' * 50}{'</a>' * 50}</after>"
    assert len(list(parsed(policy(f">{deep}")).iter())) < 8


def test_the_digest_is_the_same_whatever_the_metadata_are() -> None:
    without = "<domain>\n  <name>web</name>\n  <memory>1</memory>\n</domain>"
    with_own = without.replace("  <memory>", f"  <metadata>{EXAMPLE}</metadata>\n  <memory>")
    other = without.replace("<memory>1", "<memory>2")
    digests = [read_domain_info(xml, xml).digest for xml in (without, with_own, other)]
    assert digests[0] == digests[1] != digests[2]


# Texts and values


def test_what_is_a_list_is_read_as_one() -> None:
    assert {row.kind.several for row in GUEST_SETTINGS if isinstance(row.default, tuple)} == {True}


@pytest.mark.parametrize("row", GUEST_SETTINGS, ids=lambda row: row.guest_key)
def test_a_value_as_text_reads_back(row: Any) -> None:
    read = read_own((OwnSetting(row.guest_key, to_text(row.kind, row.default)),))
    assert read.values == {row.name: row.default}


@given(texts, texts)
def test_any_text_is_a_value_or_a_problem(key: str, text: str) -> None:
    settings = [OwnSetting(row.guest_key, text) for row in GUEST_SETTINGS]
    read = read_own((*settings, OwnSetting(f"{key}?", text)))
    assert len(read.values) + len(read.problems) == len(settings) + 1
    for row in GUEST_SETTINGS:
        if row.name in read.values:
            assert row.kind.parse(from_text(row.kind, text)) == read.values[row.name]


# Whose word counts

SHORT = DomainInfo(policy=(OwnSetting("save-timeout", "5s"), OwnSetting("save", "none")))


def test_it_goes_over_sections_and_under_tables() -> None:
    config = Config(
        shutdown=Shutdown(save_timeout=1.0, poweroff=Scope.NONE),
        guests=(GuestOverride("web", {"save": Scope.ALL}),),
    )
    found = resolve(config, guest("web", info=SHORT))
    assert found.shutdown == Shutdown(Scope.ALL, poweroff=Scope.NONE, save_timeout=5.0)
    assert found.told == {"save", "save_timeout"}


def test_the_host_can_ignore_it() -> None:
    config = Config(General(metadata=False))
    bad = DomainInfo(policy=(OwnSetting("sav", "none"),), policy_faults=("no",))
    assert resolve(config, guest(info=SHORT)).shutdown == Shutdown()
    assert own_problems(config, guest(info=bad)) == ()
    assert own_problems(Config(), guest(info=bad))[0] == "no"


def test_of_a_guest_whose_xml_was_not_read_the_rest_counts() -> None:
    assert resolve(Config(), guest()).shutdown == Shutdown()


# The schema


def test_the_schema_is_that_of_the_settings() -> None:
    assert SCHEMA.read_text() == schema()


def is_valid(element: str) -> bool:
    xmllint = shutil.which("xmllint")
    assert xmllint, "libxml2-utils is in tests/packages.txt"
    argv = [xmllint, "--noout", "--nonet", "--relaxng", str(SCHEMA), "-"]
    return subprocess.run(argv, input=element.encode(), capture_output=True).returncode == 0


def element_of(inside: str) -> str:
    return f"<g:policy xmlns:g='{NAMESPACE}' {inside}</g:policy>"


def test_what_the_reference_shows_is_valid() -> None:
    page = (SCHEMA.parent / "metadata.md").read_text()
    shown = page.partition("<metadata>\n")[2].partition("</metadata>")[0]
    assert is_valid(shown.strip())
    info = read_domain_info(metadata(shown))
    assert info.policy
    assert not read_own(info.policy).problems


@pytest.mark.parametrize("inside", [inside for inside, _ in GIVEN if "g:save='" not in inside])
def test_what_counts_is_valid(inside: str) -> None:
    assert is_valid(element_of(inside))


@pytest.mark.parametrize("inside", [inside for inside, _ in PROFILES if "g:name" not in inside])
def test_what_counts_in_a_profile_is_valid(inside: str) -> None:
    assert is_valid(element_of(inside))


@pytest.mark.parametrize("row", GUEST_SETTINGS, ids=lambda row: row.guest_key)
def test_every_setting_may_be_an_attribute_or_a_child(row: Any) -> None:
    key, value = row.guest_key, to_text(row.kind, row.default)
    assert is_valid(element_of(f"{key}='{value}'>"))
    assert is_valid(element_of(f"><{key}>{value}</{key}>"))


@pytest.mark.parametrize(
    "inside",
    [
        "><profile save='all'/>",
        "><profile name='u' order='1'/>",
        "sav='none'>",
        "save='never'>",
        "restore='yes'>",
        "><after><a/></after>",
        ">text",
    ],
)
def test_mistakes_are_not(inside: str) -> None:
    assert not is_valid(element_of(inside))
