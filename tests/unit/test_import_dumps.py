"""What Proxmox VE and Incus say of their guests, as settings of guestctl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config import from_incus, from_proxmox
from guestctl.config.drop_in import drop_in
from guestctl.config.importing import Imported
from guestctl.config.reading import read_files, read_text
from guestctl.model.given import NotUnderstood

FILE = Path("/etc/pve/qemu-server/100.conf")


def guests(found: Imported) -> dict[str, Mapping[str, Any]]:
    """What the configuration has with the drop-in, of each guest."""
    assert found.problems == ()
    nothing = read_files([])
    reading = read_text(drop_in(found, nothing, nothing, [FILE]).text, FILE)
    return {it.match: it.values for it in reading.sound().guests}


def proxmox(text: str) -> Imported:
    return from_proxmox.imported(text, FILE)


def test_a_guest_of_proxmox() -> None:
    text = "# said: so\nname: web\nstartup: order=2,up=30,down=60\nonboot: 1\n[snap]\nname: old\n"
    found = proxmox(text)
    expected = {"order": 2, "start_delay": 30.0, "shutdown_timeout": 60.0}
    assert guests(found) == {"web": expected}
    assert f"onboot=1 ({FILE}:4)" in found.remarks[0]
    assert found.guests["web"][0].origins == (f"startup=order=2,up=30,down=60 ({FILE}:3)",)


def test_several_of_a_dump() -> None:
    text = "==> 101.conf <==\nstartup: 3\n[s]\nx: y\n\n==> /a/102.conf <==\nhostname: ct\n"
    assert guests(proxmox(text)) == {
        "101": {"order": 3, "restore": False},
        "ct": {"restore": False},
    }


def test_without_a_name_it_is_the_number() -> None:
    assert guests(proxmox("onboot: 0\nstartup: order=any,down=0")) == {
        "100": {"shutdown_timeout": 1.0, "restore": False}
    }


def test_a_startup_that_is_none() -> None:
    (problem,) = proxmox("startup: order=x").problems
    assert str(problem) == f"{FILE}:1: startup: expected order=N,up=N,down=N"


@pytest.mark.parametrize("text", ["", "# nothing", "[snap]\nname: x\n"])
def test_what_has_no_guest_is_said(text: str) -> None:
    assert "there is no guest of Proxmox VE in it" in proxmox(text).remarks[0]


def incus(*instances: object) -> Imported:
    return from_incus.imported(json.dumps(instances), FILE)


def test_instances_of_incus() -> None:
    web = {
        "boot.autostart": "true",
        "boot.autostart.priority": "10",
        "boot.autostart.delay": "5",
        "boot.host_shutdown_timeout": "45",
        "boot.host_shutdown_action": "stateful-stop",
        "boot.stop.priority": "3",
    }
    found = incus(
        {"name": "web", "config": {}, "expanded_config": web},
        {"name": "db", "config": {"boot.autostart": "false", "limits.cpu": "2"}},
        {"name": "x", "config": {"boot.host_shutdown_action": "force-stop"}},
        {"name": "plain", "config": {}},
    )
    assert guests(found) == {
        "web": {
            "order": 999_989,
            "start_delay": 5.0,
            "shutdown_timeout": 45.0,
            "save": "persistent",
        },
        "db": {"restore": False},
        "x": {"save": "none", "shutdown": "none", "poweroff": "all"},
    }
    assert ["boot.autostart=true" in it or "boot.stop.priority" in it for it in found.remarks]


@pytest.mark.parametrize(
    ("key", "said"),
    [("boot.autostart.priority", "a whole number"), ("boot.host_shutdown_action", "one of stop")],
)
def test_values_that_are_none(key: str, said: str) -> None:
    (problem,) = incus({"name": "web", "config": {key: "x"}}).problems
    assert f"expected {said}" in str(problem)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nname: web", ":2: is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "number 1 in it is no instance with a name"),
        ('[{"name": 1}]', "number 1 in it is no instance with a name"),
    ],
)
def test_what_is_no_dump_of_incus(text: str, said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        from_incus.imported(text, FILE)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from(["name", "config", "expanded_config", "boot.autostart.priority"])


@given(st.lists(st.dictionaries(keys, values | st.dictionaries(keys, values)), max_size=3))
def test_whatever_comes_is_imported_or_refused(found: list[Any]) -> None:
    for text in (json.dumps(found), "\n".join(map(str, found))):
        try:
            guests(from_proxmox.imported(text, FILE))
            made = from_incus.imported(text, FILE)
        except NotUnderstood:
            continue
        assert made.problems or guests(made) is not None
