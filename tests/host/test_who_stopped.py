"""Who stopped each guest, how sure that is, and what the next boot did: many guests, one boot."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from guestctl.cli.exits import Exit
from tests.host.cases import CASES, FLAGGED, LATER, PRESS, USER, Case, make_snapshot, virsh
from tests.host.cast import (
    AGAIN,
    AT_A_TIME,
    AWAY,
    BEFORE,
    DURING,
    IGNORED,
    IN_TIME,
    KIOSK,
    KIOSK_LIVES,
    LONG_SETTLE,
    OUTAGE,
    PULLED,
    RENAMED,
    REVERTED,
    SECOND,
    SETTLE,
    UNDEFINED,
    config,
    start,
    start_both,
    wait_off,
)
from tests.host.conftest import NewHost
from tests.host.service import UNIT, status, wait_watching
from tests.host.support import journal_since, listed, runs, trail, wait_restored
from tests.testbed.console import boots, last_tick, presses, said_bye, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

#: libvirtd's words, and spelling.
FORCED_TO_END = "Make forcefull daemon shutdown"


def test_who_stopped_the_guest(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(config(SETTLE))
    host.boot()
    cast = [case for plain in CASES for case in (plain, plain.flagged)]
    go_through(host, cast)
    assert_verdicts(host, cast)
    assert_watch_and_why_tell(host)
    revert(host)
    restart_and_ignore(host)
    afterwards(host)
    while_guestctl_is_away(host)
    assert any(while_libvirtd_is_away(host) for _ in range(3)), "libvirtd never ended in order"
    wait_until(lambda: is_settled(host), 60, "end of the settle time")
    wait_until(lambda: is_meant(host, cast), 60, "settled stop of everybody")
    assert_next_boot(host, cast)
    up_and_down(host)
    assert_boot_did_what_it_should(host, cast)


# -- deeds ---------------------------------------------------------------------------------------


def go_through(host: Host, cast: list[Case]) -> None:
    """Start everybody, a few at a time, and do to each what its case says once it listens."""
    ordered = sorted(cast, key=turn)
    for first in range(0, len(ordered), AT_A_TIME):
        begin(host, ordered[first : first + AT_A_TIME])
    for case in cast:
        state = "shut off" if case.who else "running"
        if case.name.startswith("panic preserve"):
            state = "crashed"
        host.wait_for_state(case.name, state, timeout=120)
    for name in named(cast, "virsh reboot"):
        assert len(boots(host.console(name))) == 2, "it did not come up again in between"
    for name in named(cast, "ignored"):
        assert presses(host.console(name)) == 1, "it was asked before it listened"


def turn(case: Case) -> int:
    """Those that take longest come first, and last those of which it must be sure who did it.

    Until guestctl has listened for a while, an earlier request may have been the cause.
    """
    if case.spec.poweroff_after == LATER:
        return 0
    return 2 if case.who == USER else 1


def begin(host: Host, cast: list[Case]) -> None:
    for case in cast:
        start(host, case.spec)
    for case in cast:
        wait_for_tick(host.console(case.name))
        if case.spec.agent:
            host.wait_for_agent(case.name)
        if case.deed:
            case.deed(host, case.name)


def named(cast: Iterable[Case], start: str) -> list[str]:
    return [case.name for case in cast if case.name.startswith(start)]


def revert(host: Host) -> None:
    """To a snapshot of when they were off."""
    for spec in REVERTED:
        make_snapshot(host, spec)
    start_both(host, REVERTED)
    wait_watching(host)
    for spec in REVERTED:
        virsh("snapshot-revert", "GUEST", "off")(host, spec.name)
    wait_off(host, REVERTED)
    for spec in REVERTED:
        assert_row(host, spec.name, "administrator", "powered off", "observed")


def restart_and_ignore(host: Host) -> None:
    """A kiosk is up again after a few seconds, whoever shut it down in it; another is not."""
    start_both(host, KIOSK)
    start_both(host, IGNORED)
    for spec in KIOSK:
        log = host.console(spec.name)
        wait_until(lambda log=log: len(boots(log)) > 1, 180, "next boot of it")  # type: ignore[misc]  # bound now
    wait_off(host, IGNORED)
    for spec in IGNORED:
        assert_row(host, spec.name, "user", "shut down", "observed")
    for spec in KIOSK:
        # It powers itself off again and again, and may be down for a moment.
        wait_until(lambda name=spec.name: is_closed(host, name), 240, spec.name)  # type: ignore[misc]  # bound now
        assert_row(host, spec.name, "operator", None, "observed")
        assert "the exhibition is over" in trail(host, spec.name)


def is_closed(host: Host, name: str) -> bool:
    """Have an operator shut it down, if it is up for long enough, and no other run goes on."""
    is_idle = runs(host)[0]["ended"] is not None and listed(host)[name]["state"] == "running"
    tick = last_tick(host.console(name))
    if not is_idle or tick is None or tick.n > KIOSK_LIVES - IN_TIME:
        return False
    words = ["guestctl", "shutdown", "--reason", "the exhibition is over", name]
    ended = host.run(words, check=False).returncode
    assert ended in (Exit.OK, Exit.LOCKED)
    return ended == Exit.OK


def while_guestctl_is_away(host: Host) -> None:
    start_both(host, PULLED)
    start_both(host, AWAY)
    wait_watching(host)
    host.run("systemctl stop guestctl")
    for spec in PULLED:
        virsh("destroy", "GUEST")(host, spec.name)
    wait_off(host, AWAY)
    host.run("systemctl start guestctl")
    wait_watching(host)
    for spec in AWAY:
        assert_row(host, spec.name, "unknown", "shut down", "inferred")
    for spec in PULLED:
        assert_row(host, spec.name, "administrator", "powered off", "inferred")


def while_libvirtd_is_away(host: Host) -> bool:
    """QEMU waits for libvirtd to tell it to end: then it is known that the guest shut down.

    Unless libvirtd, which is given 30 s by itself to end, still told it to, and was forced to end
    before it wrote that down: all that the next one knows is a crash.
    """
    begun = time.time_ns()
    start_both(host, OUTAGE)
    wait_watching(host)
    host.run("systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd")
    for spec in OUTAGE:
        wait_until(lambda spec=spec: said_bye(host.console(spec.name)), 120, "end of it")  # type: ignore[misc]  # bound now
    host.run("systemctl start libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd")
    wait_off(host, OUTAGE)
    wait_watching(host)
    if FORCED_TO_END in journal_since(host, begun):
        return False
    for spec in OUTAGE:
        wait_until(lambda name=spec.name: listed(host)[name]["wanted"] == "off", 30, "verdict")  # type: ignore[misc]  # bound now
        assert listed(host)[spec.name]["stopped_by"] in ("user", "unknown")
        assert listed(host)[spec.name]["certainty"] in ("likely", "inferred")
    return True


def afterwards(host: Host) -> None:
    """Guests that their users shut down are undefined, renamed, or made anew under their name."""
    for specs in (UNDEFINED, RENAMED, AGAIN):
        start_both(host, specs)
    for specs in (UNDEFINED, RENAMED, AGAIN):
        wait_off(host, specs)
    wait_until(lambda: all(r["wanted"] == "off" for r in rows(host, AGAIN)), 30, "verdicts")
    for spec in [*UNDEFINED, *AGAIN]:
        host.virsh("undefine", spec.id)
    for spec in RENAMED:
        host.virsh("domrename", spec.id, new_name(spec))
    for spec in AGAIN:
        anew = GuestSpec(spec.name, uuid=f"{spec.id[:-4]}abcd")
        host.define(anew)
        if spec.name.endswith(FLAGGED):
            host.virsh("autostart", anew.id)


def new_name(spec: GuestSpec) -> str:
    return spec.name.replace("renamed", "called otherwise")


def up_and_down(host: Host) -> None:
    """Users stop guests just before the host's shutdown, and while it goes on."""
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(config(LONG_SETTLE))
    host.run(["systemctl", "reload", UNIT])
    start_both(host, BEFORE)
    start_both(host, DURING)
    wait_off(host, BEFORE)
    leave_by(host, POWEROFF, 240)
    host.boot()
    wait_restored(host, 240)


# -- what is to be so ----------------------------------------------------------------------------


def rows(host: Host, specs: list[GuestSpec]) -> list[dict[str, Any]]:
    found = listed(host)
    return [found[spec.name] for spec in specs]


def assert_verdicts(host: Host, cast: list[Case]) -> None:
    wait_until(lambda: are_all_judged(host, cast), 30, "verdict on everybody")
    found = listed(host)
    assert {case.name: said(found[case.name]) for case in cast} == {
        case.name: (case.who, case.how, case.certainty if case.who else None) for case in cast
    }
    for case in cast:
        row = found[case.name]
        assert row["wanted"] == ("on" if case.back else "off"), case.name
        assert row["autostart"] is case.name.endswith(FLAGGED)
        assert (row["stopped_at"] is not None) is (case.who is not None), case.name


def assert_next_boot(host: Host, cast: list[Case]) -> None:
    found = listed(host)
    for case in cast:
        assert stays_down(found[case.name]) is not case.back, case.name


def is_meant(host: Host, cast: list[Case]) -> bool:
    """Until a stop has settled it would be the host's doing, were that to go down."""
    found = listed(host)
    return all(case.back or stays_down(found[case.name]) for case in cast)


def stays_down(row: dict[str, Any]) -> bool:
    return bool(row["next_boot"] == "stay-down")


def are_all_judged(host: Host, cast: list[Case]) -> bool:
    found = listed(host)
    return all(found[case.name]["certainty"] for case in cast if case.who)


def said(row: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    return row["stopped_by"], row["stopped_how"], row["certainty"]


def assert_row(host: Host, name: str, who: str, how: str | None, certainty: str) -> None:
    # Before the service has judged, list infers on its own that it was stopped.
    judged = ("off", certainty)
    wait_until(lambda: wanted_and_certainty(host, name) == judged, 30, f"verdict on {name}")
    row = listed(host)[name]
    assert said(row) == (who, how or row["stopped_how"], certainty), name


def wanted_and_certainty(host: Host, name: str) -> tuple[str, str | None]:
    row = listed(host)[name]
    return row["wanted"], row["certainty"]


def assert_watch_and_why_tell(host: Host) -> None:
    """The evidence, in words; and as it happens, for programs."""
    (line,) = [line for line in trail(host, "by the agent") if "by its user" in line]
    assert line.startswith("shut down by its user (likely)")
    assert "guest agent may have been asked" in line
    seen = Path(host.root / "var/tmp/watch.jsonl")
    watch = host.popen("exec guestctl watch --json >/var/tmp/watch.jsonl 2>/var/tmp/watch.err")
    wait_until(lambda: "connected" in said_on_stderr(host), 30, "connection of watch")
    host.start(GuestSpec("watched"))
    PRESS(host, "watched")
    wait_until(lambda: any(line.get("verdict") for line in about(seen)), 60, "verdict in watch")
    watch.terminate()
    events = [line["event"] for line in about(seen) if "event" in line]
    assert events.index("started") < events.index("POWERDOWN") < events.index("SHUTDOWN")
    (verdict,) = [line["verdict"] for line in about(seen) if line.get("verdict")]
    assert (verdict["who"], verdict["how"]) == ("administrator", "shut down")


def about(file: Path, name: str = "watched") -> list[dict[str, Any]]:
    whole = file.read_text().rpartition("\n")[0]
    return [line for line in map(json.loads, whole.splitlines()) if line["name"] == name]


def said_on_stderr(host: Host) -> str:
    file = host.root / "var/tmp/watch.err"
    return file.read_text() if file.exists() else ""


def is_settled(host: Host) -> bool:
    """Whether the settle time of every stop is over, and some more for it to be written down."""
    newest = max(row["stopped_at"] or 0 for row in listed(host).values())
    return time.time_ns() > newest + (SETTLE + 3) * SECOND


def assert_boot_did_what_it_should(host: Host, cast: list[Case]) -> None:
    up = set(host.virsh("list", "--name").split("\n")) - {""}
    expected = {case.name for case in cast if case.back}
    expected |= {spec.name for spec in [*BEFORE, *DURING]}
    # The flag of one that was made anew is its owner's new word; of another it is all that counts.
    expected |= {"made again" + FLAGGED, "as libvirt does" + FLAGGED}
    # Those that power themselves off soon may have done so again.
    fleeting = {spec.name for spec in [*BEFORE, *DURING, *IGNORED]}
    assert up - fleeting == expected - fleeting
    assert expected & fleeting <= came_back(host)
    assert not came_back(host) - expected
    assert status(host)["wanted"]["held"] == 0
    for spec in RENAMED:
        assert_row(host, new_name(spec), "user", "shut down", "observed")
    assert re.search("it comes back: .*the host", "\n".join(trail(host, BEFORE[0].name)))


def came_back(host: Host) -> set[str]:
    """Whom the restore at the boot has started or resumed."""
    runs = json.loads(host.run(["guestctl", "history", "--json"]).stdout)
    boot = [run for run in runs if run["trigger"] == "boot" and run["begun"] > host.up_since]
    up = ("started", "resumed")
    return {g["name"] for run in boot for g in run["guests"] if g["outcome"] in up}
