"""`guestctl policy GUEST --set … --unset …` on libvirt's test driver, in this process.

The driver forgets its guests with the last connection of the process: one is kept open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
import pytest

from guestctl.cli.main import main
from guestctl.host import machine
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.libvirt.policy_xml import NAMESPACE
from guestctl.model.policy_change import PolicyChange
from guestctl.model.ports import ErrorKind, HypervisorError
from tests.unit.command import TEST

UUID = "00000000-2222-4000-8000-000000000000"
DB = (
    f"<domain type='test'><name>db</name><uuid>{UUID}</uuid><memory>1024</memory>"
    "<os><type>hvm</type></os><metadata>{}</metadata></domain>"
)
OTHERS = "<o:app xmlns:o='urn:other' a='1'><o:x/></o:app>"
OWN = f"<g:policy xmlns:g='{NAMESPACE}' {{}}/>"


@dataclass
class Host:
    """Guests `test`, which runs, and `db`, which is off; the command as their user types it."""

    conn: Any
    home: Path
    capsys: pytest.CaptureFixture[str]

    def define(self, *metadata: str) -> None:
        """Have `db` with this inside its metadata."""
        self.conn.defineXML(DB.replace("{}", "".join(metadata)))

    def xml(self, name: str, *, live: bool = False) -> str:
        """What stands in its metadata."""
        flags = 0 if live else libvirt.VIR_DOMAIN_XML_INACTIVE
        xml: str = self.conn.lookupByName(name).XMLDesc(flags)
        return xml.partition("<metadata>")[2].partition("</metadata>")[0]

    def run(self, *words: str, status: int = 0) -> tuple[str, list[str]]:
        """What `policy` says, and complains of, held to its status."""
        assert main(["policy", "-c", TEST, *words]) == status
        said = self.capsys.readouterr()
        return said.out, said.err.splitlines()

    def refused(self, *words: str, status: int = 2) -> list[str]:
        """What it complains of as it changes nothing."""
        before = [self.xml(name) for name in ("db", "test")]
        out, complaints = self.run(*words, status=status)
        assert out == ""
        assert [self.xml(name) for name in ("db", "test")] == before
        return complaints

    def own(self, name: str) -> dict[str, Any]:
        """What counts of its own settings, by `policy --json`."""
        found = json.loads(self.run("--json", name)[0])
        return {it["key"]: it["value"] for it in found["settings"] if it["from"] == "metadata"}

    def config(self, text: str) -> tuple[str, str]:
        """Options for this configuration."""
        file = self.home / "one.toml"
        file.write_text(text)
        return "--config", str(file)


@pytest.fixture
def host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    """The driver's own guest and another, and a ledger of the test's."""
    monkeypatch.setattr(machine, "is_root", lambda: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    conn = libvirt.open(TEST)
    found = Host(conn, tmp_path, capsys)
    found.define(OTHERS)
    yield found
    for guest in conn.listAllDomains():
        guest.setMetadata(2, None, None, NAMESPACE, 2)
    conn.lookupByName("db").undefine()
    conn.close()


# What is written


def test_several_at_once_of_a_guest_that_runs(host: Host) -> None:
    asked = ("test", "--set", "save=none", "after=db,db-2", "--set", "shutdown-timeout=120")
    out, complaints = host.run(*asked, "--unset", "order")
    lines = out.splitlines()
    assert lines[:3] == [
        'test: save is "none", was not set',
        'test: after is "db db-2", was not set',
        'test: shutdown-timeout is "2min", was not set',
    ]
    assert any(line.split() == ["shutdown-timeout", '"2min"', "metadata"] for line in lines)
    assert complaints == [
        "guestctl: order is not set there",
        'guestctl: after: no other guest is called "db-2": that orders nothing',
    ]
    assert host.own("test") == {"save": "none", "after": ["db", "db-2"], "shutdown-timeout": "2min"}
    assert host.xml("test", live=True) == host.xml("test") != ""


def test_what_is_others_stays(host: Host) -> None:
    host.run("db", "--set", "save=none")
    assert "<o:x/>" in host.xml("db")
    host.run("db", "--set", "save=all", "retries=0")
    assert host.own("db") == {"save": "all", "retries": 0}
    out, _ = host.run("db", "--unset", "save", "--unset", "retries")
    assert 'db: save is not set any more, was "all"' in out
    assert "<o:x/>" in host.xml("db")
    assert NAMESPACE not in host.xml("db")


@pytest.mark.thorough
def test_nothing_to_change(host: Host) -> None:
    host.run("db", "--set", "save=none")
    before = host.xml("db")
    out, complaints = host.run("db", "--set", "save=none", "--unset", "after")
    assert out.startswith("db: nothing to change\n")
    assert complaints == ["guestctl: after is not set there"]
    assert host.xml("db") == before


@pytest.mark.thorough
def test_in_json(host: Host) -> None:
    out, _ = host.run("db", "--set", "save=none", "--unset", "order", "--json")
    found = json.loads(out)
    assert found["changes"] == [{"key": "save", "value": "none", "before": None}]
    assert found["remarks"] == ["order is not set there"]
    assert found["settings"][0]["from"] == "metadata"


def test_the_trail_has_who_and_what(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run("db", "--set", "save=none", "--reason", "shares a disk")
    main(["why", "-c", TEST, "db"])
    said = capsys.readouterr().out
    assert "operator:" in said
    assert "shares a disk" in said
    assert 'its own settings: save is "none", was not set' in said


def test_a_ledger_that_cannot_be_written_is_said(host: Host) -> None:
    (host.home / "state").write_text("no folder")
    _, complaints = host.run("db", "--set", "save=none", status=1)
    assert "the settings are changed, but `why` will not know of it" in complaints[0]
    assert host.own("db") == {"save": "none"}


def test_what_differs_in_a_profile(host: Host) -> None:
    options = host.config('[profile.ups]\ndeadline = "3min"\n')
    out, complaints = host.run("db", *options, "--set", "profile.ups.save=none", "order=3")
    assert 'db: profile.ups.save is "none", was not set' in out
    assert any(
        line.split() == ["profile.ups.save", '"none"', "metadata"] for line in out.splitlines()
    )
    assert complaints == []
    _, (said,) = host.run("db", *options, "--set", "profile.reboot.save=all")
    assert "profile.reboot: no table is called [profile.reboot]" in said
    host.run("db", "--unset", "profile.ups.save", "profile.reboot.save", "order")
    assert NAMESPACE not in host.xml("db")


# What is refused


def test_nothing_is_written_where_anything_is_wrong(host: Host) -> None:
    said = host.refused("db", "--set", "save=none", "sav=none", "retries=x", "--unset", "save")
    start = "guestctl: cannot change the settings of db"
    assert said == [
        f'{start}: sav: unknown key; did you mean "save"?',
        f'{start}: retries: expected a whole number from 0 to 100, not "x"',
        f"{start}: save: it is given more than once",
        "guestctl: nothing was changed",
    ]
    assert 'unsav: unknown key; did you mean "save"?' in host.refused("db", "--unset", "unsav")[0]


def test_who_is_meant_must_be_clear(host: Host) -> None:
    assert 'did you mean "test"?' in host.refused("tets", "--set", "save=none")[0]


def test_a_user_cannot_for_the_guests_of_the_system(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "-c", "qemu:///system", "web", "--set", "save=none"]) == 3
    assert "cannot act on qemu:///system as this user" in capsys.readouterr().err
    assert main(["policy", "-c", "qemu:///system", "web", "--set", "save=never"]) == 2


@pytest.mark.parametrize("words", [("--set", "save"), ("--set", "=x"), ("--reason", "x")])
def test_wrong_usage(host: Host, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["policy", "db", *words])
    assert caught.value.code == 2


def test_more_than_is_read(host: Host) -> None:
    (said, _) = host.refused("db", "--set", "after=" + "a" * 5000)
    assert "more than 4096 are not read" in said


def test_an_element_that_libvirts_call_would_lose(host: Host) -> None:
    host.define(OWN.format("save='none'").replace("policy ", "polcy "), OTHERS)
    said = host.refused("db", "--set", "save=all")
    assert 'is to be "policy", not "polcy"; `--unset all` takes all of it away' in said[0]
    host.run("db", "--unset", "all", "--set", "save=all")
    assert host.own("db") == {"save": "all"}
    assert "<o:x/>" in host.xml("db")


# What is there already, and wrong


def test_a_mistake_beside_it_stays_and_is_said(host: Host) -> None:
    host.define(OWN.format("retries='many' sav='x' later='1'"))
    out, complaints = host.run("db", "--set", "save=none", status=1)
    assert 'db: save is "none", was not set' in out
    assert len(complaints) == 3
    _, complaints = host.run("db", "--set", "retries=3", "--unset", "sav", status=1)
    assert ["later: unknown key" in line for line in complaints] == [True]
    host.run("db", "--unset", "later")
    assert host.own("db") == {"save": "none", "retries": 3}


@pytest.mark.thorough
def test_what_cannot_be_read_goes_as_a_whole(host: Host) -> None:
    host.define(OWN.format(f"after='{'a' * 5000}'"))
    assert "more than 4096" in host.refused("db", "--set", "save=none")[0]
    host.run("db", "--unset", "after")
    assert NAMESPACE not in host.xml("db")


# What does not do what may be expected


def test_the_host_has_the_last_word(host: Host) -> None:
    options = host.config('[[guest]]\nmatch = "d*"\nsave = "all"\n')
    _, complaints = host.run("db", *options, "--set", "save=none", "retries=3")
    assert complaints == [f'guestctl: save: what {options[1]}:3 says goes over it: "all"']


def test_the_host_can_ignore_it(host: Host) -> None:
    options = host.config("metadata = false\n")
    _, complaints = host.run("db", *options, "--set", "save=none", "after=nobody")
    assert complaints == [
        f"guestctl: {options[1]}:1: metadata = false: settings in the guests' own XML count for"
        " nothing"
    ]


def test_a_circle_is_said_once_it_is_made(host: Host) -> None:
    assert host.run("db", "--set", "after=test")[1] == []
    _, (said,) = host.run("test", "--set", "requires=db")
    assert "wait for one another in a circle: " in said
    assert host.run("test", "--set", "save=none")[1] == []


# libvirt does not do it


def fails(monkeypatch: pytest.MonkeyPatch, kind: ErrorKind, *, late: bool = False) -> None:
    """It says so, having done nothing, or all of it (late)."""
    does = LibvirtHypervisor.change_policy

    async def change(self: LibvirtHypervisor, uuid: str, wanted: PolicyChange) -> str:
        if late:
            await does(self, uuid, wanted)
        raise HypervisorError(kind, "no space left")

    monkeypatch.setattr(LibvirtHypervisor, "change_policy", change)


@pytest.mark.parametrize(
    ("kind", "status", "truth"),
    [
        (ErrorKind.FAILED, 1, "its definition is as it was"),
        (ErrorKind.NO_ANSWER, 1, "its definition is as it was, and may become otherwise yet"),
        (ErrorKind.NOT_PERMITTED, 3, "its definition is as it was"),
        (ErrorKind.UNREACHABLE, 4, "its definition is as it was"),
    ],
)
def test_nothing_was_done(
    host: Host, monkeypatch: pytest.MonkeyPatch, kind: ErrorKind, status: int, truth: str
) -> None:
    fails(monkeypatch, kind)
    (said,) = host.refused("db", "--set", "save=none", status=status)
    assert said == f"guestctl: cannot change the settings of db: no space left; {truth}"


def test_it_may_be_lost_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, ErrorKind.FAILED, late=True)
    _, (said,) = host.run("db", "--set", "save=none", status=1)
    assert said.endswith("but maybe not on disk: give the same command once more")
    assert host.own("db") == {"save": "none"}
