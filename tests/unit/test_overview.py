"""What `list` and `plan --boot` show."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from guestctl.config.config import Config
from guestctl.config.settings import Boot
from guestctl.decisions.host_facts import HostFacts, LostConnection, rows_of
from guestctl.decisions.overview import UNREAD, rows, unreadable
from guestctl.model.guest import GuestFacts, State
from guestctl.model.options import Scope
from guestctl.model.overview import NextBoot, Row
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.stop import StoppedBy
from tests.ledgers import instant
from tests.unit.makers import (
    BOOT,
    URI,
    always,
    guest,
    guest_id,
    guests_and_records,
    off,
    policy,
    recorded,
)

MOMENT = instant(10**9)


def row(facts: GuestFacts, record: GuestRecord | None = None) -> Row:
    """The row of one guest under the default policy."""
    records = {facts.id: record} if record else {}
    (made,) = rows([facts], records, always(policy()), MOMENT, owned=False)
    return made


def test_a_running_guest() -> None:
    assert row(guest(autostart=True)) == Row(
        name="web",
        uuid=guest_id().uuid,
        uri=guest_id().uri,
        state=State.RUNNING,
        saved=False,
        wanted=Wanted.ON,
        up_since=None,
        stopped_by=None,
        stopped_at=None,
        stopped_how=None,
        certainty=None,
        autostart=True,
        held=None,
        unready=None,
        waiting=None,
        given_up=None,
        shed=None,
        next_boot=NextBoot.RESUME,
        reason="libvirt's autostart flag is set, and libvirt goes by it itself",
        why_wanted="it is running",
    )


@given(guests_and_records)
def test_who_may_not_read_the_ledger_is_told_nothing_that_only_it_knows(
    pair: tuple[GuestFacts, GuestRecord | None],
) -> None:
    """Not even by what its absence would mean: an unknown is no "off"."""
    facts, record = pair
    seen = HostFacts(BOOT, 1, (facts.id.uri,), True, False, Config(), guests=(facts,))
    (made,) = rows_of(seen)
    (with_record,) = rows_of(replace(seen, records=(record,) if record else ()))
    assert made == with_record
    assert (made.state, made.saved, made.autostart) == (
        facts.state,
        facts.saved,
        facts.autostart,
    )
    assert (made.wanted, made.next_boot, made.held, made.certainty) == (None,) * 4
    assert made.stopped_by is (StoppedBy.UNKNOWN if not facts.up else None)


def test_a_guest_that_a_run_saved() -> None:
    record = recorded(taken_down=True, up_boot=None, stopped_by=StoppedBy.HOST, stopped_at=123)
    found = row(off(saved=True), record)
    assert (found.stopped_by, found.stopped_at) == (StoppedBy.HOST, 123)
    assert (found.wanted, found.next_boot) == (Wanted.ON, NextBoot.RESUME)


def test_a_running_guest_was_stopped_by_nobody_whatever_the_ledger_remembers() -> None:
    found = row(guest(), recorded(stopped_by=StoppedBy.USER, stopped_at=123, hold="disk"))
    assert (found.stopped_by, found.stopped_at) == (None, None)
    assert (found.held, found.next_boot) == ("disk", NextBoot.HELD)


def test_a_guest_that_stays_held_says_why() -> None:
    assert row(guest(), recorded(hold="disk")).reason == "disk"
    assert row(guest(), recorded(hold=None)).reason == "it is running"


def test_what_the_next_boot_does_follows_from_policy() -> None:
    unsaved, forgotten = policy(save=Scope.NONE), policy(Boot(restore=False))
    (started,) = rows([guest()], {}, always(unsaved), MOMENT, owned=False)
    (left,) = rows([guest()], {}, always(forgotten), MOMENT, owned=False)
    assert (started.next_boot, left.next_boot) == (NextBoot.START, NextBoot.STAY_DOWN)


def test_rows_are_sorted_by_name_and_then_by_what_tells_them_apart() -> None:
    seen = [guest("b", 2), guest("b", 1), guest("a", 3)]
    found = rows(seen, {}, always(policy()), MOMENT, owned=False)
    assert [(r.name, r.uuid) for r in found] == [
        ("a", guest_id(3).uuid),
        ("b", guest_id(1).uuid),
        ("b", guest_id(2).uuid),
    ]


@given(guests_and_records)
def test_every_guest_has_a_row_that_fits_the_contract(
    pair: tuple[GuestFacts, GuestRecord | None],
) -> None:
    facts, record = pair
    found = row(facts, record)
    assert (found.name, found.uuid, found.uri) == (facts.name, facts.id.uuid, facts.id.uri)
    assert found.held == (record.hold if record else None)
    assert found.reason
    if facts.up:
        assert found.stopped_by is None


def test_an_unknown_state_does_not_show_as_turned_off() -> None:
    found = row(guest(state=State.UNKNOWN, reason="unknown"), recorded())
    assert (found.state, found.wanted) == (State.UNKNOWN, Wanted.ON)


def test_guests_behind_a_lost_connection_are_unknown_and_not_off() -> None:
    records = [
        recorded(1, "on"),
        recorded(2, "off", wanted=Wanted.OFF, stopped_by=StoppedBy.USER, stopped_at=5),
        recorded(3, "held", hold="disk"),
        GuestRecord(guest_id(4, "other:///"), "elsewhere", Wanted.ON),
    ]
    found = unreadable(records, [guest_id().uri])
    assert [(r.name, r.state, r.wanted, r.next_boot) for r in found] == [
        ("on", State.UNKNOWN, Wanted.ON, None),
        ("off", State.UNKNOWN, Wanted.OFF, NextBoot.STAY_DOWN),
        ("held", State.UNKNOWN, Wanted.ON, NextBoot.HELD),
    ]
    assert found[1].stopped_by is StoppedBy.USER
    assert [r.reason for r in found] == [UNREAD, UNREAD, "disk"]
    assert {(r.saved, r.autostart) for r in found} == {(None, None)}


def test_guests_that_could_not_be_read_stand_among_the_others() -> None:
    lost = LostConnection("lxc:///", "no answer")
    records = (
        GuestRecord(guest_id(1, lost.uri), "b", Wanted.ON),
        GuestRecord(guest_id(2, lost.uri), "a", Wanted.ON),
    )
    seen = (guest("c", 3), guest("aa", 4))
    facts = HostFacts(
        BOOT, 0, (URI, lost.uri), True, True, Config(), (lost,), guests=seen, records=records
    )
    assert [r.name for r in rows_of(facts)] == ["a", "aa", "b", "c"]


def test_a_hold_shows_even_if_nothing_else_is_known_of_the_guest() -> None:
    records = [recorded(1, "held", wanted=None, hold="disk")]
    (found,) = unreadable(records, [guest_id().uri])
    assert (found.held, found.next_boot) == ("disk", NextBoot.HELD)


def test_an_empty_hold_is_a_hold() -> None:
    (found,) = unreadable([recorded(hold="")], [guest_id().uri])
    assert found.next_boot is NextBoot.HELD
