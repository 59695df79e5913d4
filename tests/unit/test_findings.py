"""What `status` finds to be wrong, by name, with the reason and the command."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.decisions.findings import OLD, is_amiss, of_guests, of_run
from guestctl.decisions.health import of_auto_shutdown, of_hook, of_host
from guestctl.decisions.host_facts import HostFacts, LostConnection, rows_of
from guestctl.host.libvirt.auto_shutdown import may_be_on, switched_on
from guestctl.model.guest import GuestFacts
from guestctl.model.history import PastGuest, PastRun
from guestctl.model.host_units import GUARD, RIVAL, SERVICE, HostWords, Unit
from guestctl.model.plan import RunKind
from guestctl.model.record import GuestRecord
from guestctl.model.result import Trigger
from guestctl.model.stop import StoppedBy
from tests.unit.makers import BOOT, URI, guest, off, recorded

GIB = 2**30
AT = 10**18


def facts(
    guests: tuple[GuestFacts, ...], records: tuple[GuestRecord, ...] = (), **more: Any
) -> HostFacts:
    return HostFacts(BOOT, AT, (URI,), True, True, Config(), guests=guests, records=records, **more)


def told(found: HostFacts) -> list[tuple[str, str, str]]:
    findings = of_guests(found, rows_of(found))
    return [(finding.name, finding.text, finding.command) for finding in findings]


def test_a_guest_that_runs_is_well() -> None:
    assert told(facts((guest(),), (recorded(),), room={URI: 100 * GIB})) == []


def test_a_guest_that_somebody_holds() -> None:
    record = recorded(name="my web", hold="moving")
    found = told(facts((off("my web"),), (record,)))
    assert found == [("my web", "held: moving", "guestctl release 'my web'")]


def test_a_guest_that_libvirt_guests_took_down() -> None:
    record = recorded(stopped_by=StoppedBy.LIBVIRT_GUESTS, taken_down=True, up_boot=None)
    text = "off since libvirt-guests was stopped, which took it down"
    assert told(facts((off(),), (record,))) == [("web", text, "guestctl start web")]
    assert told(facts((guest(),), (record,))) == []


def test_a_guest_whose_save_is_stale() -> None:
    record = recorded(hold="its disk changed", held_for_save=True, taken_down=True)
    ((name, text, command),) = told(facts((off(saved=True),), (record,)))
    assert (name, text) == ("web", "held: its disk changed")
    assert command == "guestctl why web", "which of two ways is for a person to choose"


def test_commands_can_be_pasted_whatever_a_guest_is_called() -> None:
    record = recorded(name="-x y", hold="moving")
    ((_, _, command),) = told(facts((off("-x y"),), (record,)))
    assert command == "guestctl release -- '-x y'"


def test_a_guest_that_is_waited_for() -> None:
    record = recorded(waits_for="its disk is not there", waits_in=BOOT, up_boot=None)
    found = told(facts((off(),), (record,)))
    assert found == [("web", "waited for: its disk is not there", "guestctl start web")]


def test_a_guest_that_was_given_up_is_told_once() -> None:
    record = recorded(waits_for="no disk", waits_in=BOOT, up_boot=None, given_up=True)
    found = told(facts((off(),), (record,)))
    assert found == [("web", "given up: no disk", "guestctl start web")]


def test_a_guest_without_room_for_its_save() -> None:
    found = told(facts((guest(memory=4 * GIB),), room={URI: 2 * GIB}))
    ((name, text, command),) = found
    assert (name, command) == ("web", "guestctl plan")
    assert text.startswith("cannot be saved as the host goes down: it can take 4GiB, and 1GiB")


# Runs


def run(kind: RunKind = RunKind.PRESERVE, **differs: Any) -> PastRun:
    values = {"begun": AT - 1, "ended": AT, "ok": False, **differs}
    trigger = values.pop("trigger", Trigger.HOST_STOP)
    return PastRun(7, kind, trigger, BOOT, 1, **values)


FAILED = PastGuest("web", "failed", "no space left on device")
SAVED = PastGuest("db", "saved", "")


def of(past: PastRun, *guests: PastGuest, known: HostFacts | None = None) -> list[str]:
    rows = rows_of(known) if known else []
    return [f"{f.name}: {f.text} -> {f.command}" for f in of_run(past, guests, rows, AT)]


def test_a_preserve_that_failed_last_night() -> None:
    assert of(run(), SAVED, FAILED) == [
        "web: failed in run 7, the newest preserve: no space left on device -> guestctl why web"
    ]


def test_a_preserve_that_was_cut_off() -> None:
    cut_off = PastGuest("web", "cut off", "in save")
    assert of(run(ended=None, ok=None), SAVED, cut_off) == [
        "web: cut off in run 7, the newest preserve: in save -> guestctl why web"
    ]
    assert of(run(ended=None, ok=None)) == [
        ": run 7, the newest preserve, was cut off -> guestctl history"
    ]


def test_what_went_well_or_is_long_ago_is_no_problem() -> None:
    assert of(run(ok=True), SAVED) == []
    assert of(run(begun=AT - OLD - 1), FAILED) == []
    assert of(run(trigger=Trigger.SHED, ok=None), FAILED) == []


def test_of_a_restore_only_who_is_down_still_and_not_for_another_reason() -> None:
    records = (recorded(1, "up"), recorded(2, "web"), recorded(3, "held", hold="so"))
    known = facts((guest("up", 1), off("web", 2), off("held", 3)), records)
    failed = [
        PastGuest(record.name, "failed", "gone", record.id.uuid, record.id.uri)
        for record in records
    ]
    assert of(run(RunKind.RESTORE), *failed, known=known) == [
        "web: failed in run 7, the newest restore: gone -> guestctl why web"
    ]


def test_of_a_restore_a_namesake_that_is_up_hides_nobody() -> None:
    known = facts((guest("web", 1), off("web", 2)), (recorded(1), recorded(2)))
    failed = [
        PastGuest("web", "failed", "gone", record.id.uuid, record.id.uri)
        for record in known.records
    ]
    assert len(of(run(RunKind.RESTORE), *failed, known=known)) == 1


def test_a_guest_that_libvirt_does_not_list_is_amiss() -> None:
    (row,) = rows_of(facts((), (recorded(),)))
    assert is_amiss(row)
    assert not is_amiss(rows_of(facts((guest(),), (recorded(),)))[0])


# The host

WELL: dict[str, Any] = {
    "running": True,
    "pid": 1,
    "configuration": {"source": "as in its files", "problems": [], "differs": []},
    "connections": {URI: "connected"},
    "logind": {"connected": True, "problem": ""},
}
UNITS = {
    SERVICE: Unit("active", "enabled"),
    GUARD: Unit("active", "static"),
    RIVAL: Unit("inactive", "disabled"),
}
DOWN = {"running": False}

HOSTS: list[tuple[dict[str, Any], dict[str, Unit], list[str], str]] = [
    (WELL, UNITS, [], ""),
    (WELL, {}, [], ""),
    (DOWN, UNITS, ["the service does not run"], f"systemctl start {SERVICE}"),
    (DOWN, {}, ["the service does not run"], f"systemctl start {SERVICE}"),
    (
        DOWN,
        {**UNITS, SERVICE: Unit("failed", "enabled")},
        ["the service has failed"],
        f"systemctl status {SERVICE}",
    ),
    (
        {"running": None},
        {},
        [],
        "",
    ),
    (
        WELL,
        {**UNITS, SERVICE: Unit("active", "disabled")},
        [f"{SERVICE} is disabled: as the host goes down nobody sees to its guests"],
        f"systemctl enable --now {SERVICE}",
    ),
    (
        DOWN,
        {**UNITS, SERVICE: Unit("inactive", "masked")},
        [f"{SERVICE} is masked: as the host goes down nobody sees to its guests"],
        f"systemctl unmask {SERVICE} && systemctl enable --now {SERVICE}",
    ),
    (
        DOWN,
        {**UNITS, SERVICE: Unit("inactive", "disabled"), RIVAL: Unit("active", "enabled")},
        [
            f"{SERVICE} is disabled: as the host goes down {RIVAL} and not guestctl sees to its"
            " guests"
        ],
        "guestctl takeover",
    ),
    (
        WELL,
        {**UNITS, GUARD: Unit("failed", "static")},
        [f"{GUARD} is failed: nobody is there should the service be killed"],
        f"systemctl start {GUARD}",
    ),
    (
        {**WELL, "connections": {URI: "gone"}},
        UNITS,
        [f"{URI}: gone"],
        "",
    ),
    (
        {**WELL, "interface": {"on_bus": False, "problem": "refused"}},
        UNITS,
        ["the service is not on the bus as org.guestctl1: refused"],
        "busctl status org.guestctl1",
    ),
    # It starts, or is a user's own.
    ({**WELL, "interface": {"on_bus": None, "problem": "not yet"}}, UNITS, [], ""),
    # There is no bus.
    (
        {
            **WELL,
            "interface": {"on_bus": False, "problem": "no such file"},
            "logind": {"connected": False, "problem": "no such file"},
        },
        UNITS,
        ["announcements of logind are not heard: no such file"],
        "systemctl status systemd-logind.service",
    ),
    (
        {**WELL, "configuration": {"source": "what is right", "problems": ["/a:1: no"]}},
        UNITS,
        ["the configuration has a mistake, what is right is used: /a:1: no"],
        "guestctl check",
    ),
    (
        {**WELL, "configuration": {"source": "", "problems": [], "differs": ["x is 1, 2 in use"]}},
        UNITS,
        ["the service does not use its files as they are: x is 1, 2 in use"],
        "guestctl reload",
    ),
]


@pytest.mark.parametrize(("service", "units", "texts", "command"), HOSTS)
def test_the_host(
    service: dict[str, Any], units: dict[str, Unit], texts: list[str], command: str
) -> None:
    found = of_host(service, HostWords(5.0, units), ())
    assert [finding.text for finding in found] == texts
    assert all(finding.command == command for finding in found)


@pytest.mark.parametrize("rival", [Unit("active", "disabled"), Unit("inactive", "enabled")])
def test_libvirt_guests_beside_it(rival: Unit) -> None:
    (found,) = of_host(WELL, HostWords(5.0, {**UNITS, RIVAL: rival}), ())
    assert "beside guestctl: both take guests down" in found.text
    # Its stop acts on guests: it must have no command any more when that comes.
    assert found.command == "guestctl takeover"


def test_libvirt_guests_as_it_is_stopped() -> None:
    """It waits minutes for each guest that does not obey; to switch it off is too late then."""
    (found,) = of_host(WELL, HostWords(5.0, {**UNITS, RIVAL: Unit("deactivating", "disabled")}), ())
    assert "is being stopped, and takes down the guests" in found.text


def test_a_daemon_goes_by_what_stood_there_when_it_began(tmp_path: Path) -> None:
    """Switched off in the file a while ago, it paused all guests still, and they were saved so."""
    conf = tmp_path / "qemu.conf"
    assert not asyncio.run(may_be_on(conf))
    conf.write_text('auto_shutdown_poweroff = "none"\n')
    assert asyncio.run(may_be_on(conf))
    os.utime(conf, (0, 0))
    assert not asyncio.run(may_be_on(conf))
    conf.write_text('auto_shutdown_poweroff = "all"\n')
    os.utime(conf, (0, 0))
    assert asyncio.run(may_be_on(conf))


def test_libvirts_own_auto_shutdown_beside_it(tmp_path: Path) -> None:
    conf = tmp_path / "qemu.conf"
    assert of_auto_shutdown(switched_on(conf)) == []
    conf.write_text(
        '#auto_shutdown_poweroff = "all"\nauto_shutdown_wait = 30\n'
        'auto_shutdown_try_shutdown = "none"\n auto_shutdown_try_save = "persistent"\n'
    )
    (found,) = of_auto_shutdown(switched_on(conf))
    assert 'is on (auto_shutdown_try_save = "persistent" in /etc/libvirt/qemu.conf)' in found.text
    assert found.command == "guestctl takeover"
    with conf.open("a") as more:
        more.write('auto_shutdown_try_save = "none"\n')  # the last one counts
    assert switched_on(conf) == ()


def test_a_connection_is_told_once() -> None:
    lost = [LostConnection(URI, "cannot connect")]
    found = of_host({**WELL, "connections": {URI: "gone"}}, HostWords(), lost)
    assert [finding.text for finding in found] == ["cannot connect"]


def test_a_hook_that_is_not_in_force_matters_where_somebody_is_held() -> None:
    (found,) = of_hook(["libvirtd.service"], ["web", "db"])
    assert "would resume db, web from a stale save" in found.text
    assert found.command == "systemctl restart libvirtd.service"
    assert not list(of_hook(["libvirtd.service"], []))
    assert not list(of_hook([], ["web"]))
