"""The doctor's checks of what is wanted, of past runs and of the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.decisions.doctor import NOT_KNOWN, examine
from guestctl.decisions.host_state import HostState
from guestctl.model.finding import Severity
from guestctl.model.history import PastGuest, PastRun
from guestctl.model.host_ledger import LedgerSaid
from guestctl.model.plan import RunKind
from guestctl.model.result import Trigger
from guestctl.model.stop import StoppedBy
from tests.unit.healthy import AT, facts, healthy
from tests.unit.makers import BOOT, guest, off, recorded

LEDGER = "/var/lib/guestctl/ledger.db"


def found(state: HostState) -> list[tuple[str, Severity, str]]:
    return [(it.check, it.severity, it.name) for it in examine(state)]


def test_guests_that_run_and_are_wanted_are_well() -> None:
    assert found(healthy(facts=facts((guest(),), (recorded(),)))) == []


def test_of_each_guest_why_it_would_not_come_back() -> None:
    down = {"up_boot": None}
    records = (
        recorded(1, "a", hold="moving"),
        recorded(2, "b", waits_for="no disk", waits_in=BOOT, **down),
        recorded(3, "c", waits_for="no disk", waits_in=BOOT, given_up=True, **down),
        recorded(4, "d", stopped_by=StoppedBy.LIBVIRT_GUESTS, taken_down=True, **down),
        recorded(5, "e"),
    )
    guests = tuple(off(name, number) for number, name in enumerate("abcd", 1))
    assert found(healthy(facts=facts(guests, records))) == [
        ("given-up", Severity.ERROR, "c"),
        ("held", Severity.WARNING, "a"),
        ("waited-for", Severity.WARNING, "b"),
        ("off-by-libvirt-guests", Severity.WARNING, "d"),
        ("not-listed", Severity.WARNING, "e"),
    ]


def test_a_guest_that_is_unready() -> None:
    record = recorded(unready="no answer of its agent")
    state = healthy(facts=facts((guest(),), (record,)))
    assert found(state) == [("unready", Severity.WARNING, "web")]


def test_a_table_that_is_for_nobody() -> None:
    config = Config(guests=(GuestOverride("db-*", {}),))
    (finding,) = examine(healthy(facts=facts((guest(),), (recorded(),), config=config)))
    assert finding.check == "matches-nobody"
    assert 'match = "db-*"' in finding.text


def test_the_newest_run_of_a_kind_that_went_wrong() -> None:
    times: dict[str, Any] = {"begun": AT - 1, "ended": AT, "ok": False}
    past = PastRun(7, RunKind.PRESERVE, Trigger.HOST_STOP, BOOT, 1, **times)
    failed = (PastGuest("web", "failed", "no space left on device"),)
    (finding,) = examine(healthy(ledger=LedgerSaid(LEDGER, ((past, failed),))))
    assert (finding.check, finding.name) == ("last-runs", "web")
    ended_well = replace(past, ok=True)
    assert examine(healthy(ledger=LedgerSaid(LEDGER, ((ended_well, failed),)))) == []


def test_a_ledger_that_cannot_be_read() -> None:
    why = f"cannot read the ledger {LEDGER}: disk I/O error"
    blind = replace(facts(), sees_all=False, may_see=True)
    finding, *unseen = examine(healthy(facts=blind, complaints=("another thing", why)))
    assert {it.check for it in unseen} == {NOT_KNOWN}, "what needs it is not checked"
    assert (finding.check, finding.severity) == ("ledger-unreadable", Severity.ERROR)
    assert finding.evidence == (why,)
    may_not = examine(healthy(facts=replace(blind, may_see=False)))
    assert "ledger-unreadable" not in {it.check for it in may_not}, "it is for root alone"


def test_a_ledger_that_was_set_aside() -> None:
    (finding,) = examine(healthy(ledger=LedgerSaid(LEDGER, damaged=("/a b/ledger.damaged",))))
    assert finding.command == "rm '/a b/ledger.damaged'*"
