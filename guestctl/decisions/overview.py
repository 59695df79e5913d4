"""What `list` and `plan --boot` show: facts and records side by side.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..model.guest import GuestFacts, GuestId, State
from ..model.instant import Instant
from ..model.overview import NextBoot, Row
from ..model.plan import GuestPlan, RunKind, Step
from ..model.record import GuestRecord, Wanted, seen_down, seen_up, settled, taking_down
from ..model.stop import StoppedBy
from . import autostart, settling
from .plan import NOT_LISTED, Policies, plan_guest_down, plan_restore
from .policy import Policy
from .reconcile import reconcile
from .wanted import JUST_TURNED_OFF, desired, desired_at_boot, hold_of

#: An id that no boot of a host has.
_NEXT = "the next boot"


class BootPlan(NamedTuple):
    """What the next boot does with a guest, and why it does that."""

    does: NextBoot
    reason: str


UNREAD = "its connection could not be read"
UNSEEN = "what is wanted of it could not be read from the ledger"
_NOTHING = GuestRecord(GuestId("", ""), "")
_NO_PLANS: Mapping[GuestId, GuestPlan] = {}


def rows(
    guests: Iterable[GuestFacts],
    records: Mapping[GuestId, GuestRecord],
    policies: Policies,
    now: Instant,
    *,
    owned: bool,
    down: Mapping[GuestId, GuestPlan] = _NO_PLANS,
) -> list[Row]:
    """The guests that could be read, by name; owned: whether guestctl does libvirt's autostart.

    down: what a preserve would do, which knows of room for saves; by policy alone where a guest
    is not in it.
    """
    made = [
        _row(guest, records.get(guest.id), policies, now, owned=owned, down=down.get(guest.id))
        for guest in guests
    ]
    return in_order(made)


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By name, and then by what tells guests of one name apart."""
    return sorted(rows, key=lambda row: (row.name, row.uri, row.uuid))


def unknown(row: Row) -> Row:
    """What libvirt alone tells, for whom the ledger is closed to: the rest is not known."""
    down = row.state in (State.SHUT_OFF, State.UNKNOWN)
    return replace(
        row,
        wanted=None,
        up_since=None,
        stopped_by=StoppedBy.UNKNOWN if down else None,
        stopped_at=None,
        stopped_how=None,
        certainty=None,
        held=None,
        unready=None,
        waiting=None,
        given_up=None,
        shed=None,
        next_boot=None,
        reason=UNSEEN,
        why_wanted=UNSEEN,
    )


def _row(
    guest: GuestFacts,
    record: GuestRecord | None,
    policies: Policies,
    now: Instant,
    *,
    owned: bool,
    down: GuestPlan | None = None,
) -> Row:
    found = desired(record, guest, now.boot)
    said = record if record and not guest.up else _NOTHING
    waits = record.waiting(now.boot) if record and guest.down else None
    boots = next_boot(record, guest, policies(guest), now, owned=owned, down=down)
    return Row(
        name=guest.name,
        uuid=guest.id.uuid,
        uri=guest.id.uri,
        state=guest.state,
        saved=guest.saved,
        wanted=found.wanted,
        up_since=_up_since(record, guest, now.boot),
        stopped_by=found.stopped_by,
        stopped_at=said.stopped_at,
        stopped_how=found.verdict.how if found.verdict else said.how,
        certainty=found.verdict.certainty if found.verdict else said.certainty,
        autostart=guest.autostart,
        held=hold_of(record, guest),
        unready=record.unready_in(now.boot) if record and guest.up else None,
        waiting=None if said.given_up else waits,
        given_up=waits if said.given_up else None,
        shed=record.still_shed(now.boot) if record and guest.down else None,
        next_boot=boots.does,
        reason=boots.reason,
        why_wanted=found.reason,
    )


def _up_since(record: GuestRecord | None, guest: GuestFacts, boot: str) -> int | None:
    known = guest.up and record is not None and record.up_boot == boot
    return record.up_since if record and known else None


def next_boot(
    record: GuestRecord | None,
    guest: GuestFacts,
    policy: Policy,
    now: Instant,
    *,
    owned: bool,
    down: GuestPlan | None = None,
) -> BootPlan:
    """What the next boot of the host does with the guest, were the host to go down now.

    It is the plan of that restore.  owned: whether guestctl does libvirt's autostart then.
    down: what a preserve would do with the guest; None: what policy says.
    """
    if not guest.persistent:
        return BootPlan(NextBoot.STAY_DOWN, "it is transient: libvirt forgets it once it is down")
    down = down or plan_guest_down(RunKind.PRESERVE, guest, policy)
    facts = _left_by_host_stop(guest, down)
    flagged = guest.autostart or guest.autostart_once
    if flagged and not owned:  # libvirt starts it, whatever guestctl thinks of it
        does = NextBoot.RESUME if facts.saved else NextBoot.START
        return BootPlan(does, "libvirt's autostart flag is set, and libvirt goes by it itself")
    after = _record_after_host_stop(record, guest, policy, now)
    word = autostart.at_boot(after, facts, now, once=owned)
    after = (word and word.record) or after
    flags = (guest.id.uri,) if owned else ()
    plan = plan_restore([facts], {guest.id: after}, lambda _: policy, _NEXT, autostart=flags)
    for planned in plan.guests:
        found = _planned(planned, after, guest, down)
        started = word and planned.outcome is None
        return found._replace(reason=word.remarks[0].text) if word and started else found
    if after.hold is not None:
        return BootPlan(NextBoot.HELD, after.hold)
    if word:
        return BootPlan(NextBoot.STAY_DOWN, word.remarks[0].text)
    return BootPlan(NextBoot.STAY_DOWN, desired(after, facts, _NEXT).reason)


def _planned(
    planned: GuestPlan, after: GuestRecord, guest: GuestFacts, down: GuestPlan
) -> BootPlan:
    """What a restore would do with a guest that is wanted on."""
    if planned.outcome is not None:
        if after.hold is not None:  # the first that a person has to undo, whatever policy says
            return BootPlan(NextBoot.HELD, after.hold)
        return BootPlan(NextBoot.STAY_DOWN, planned.reason)
    resumed = planned.steps[0].step is Step.RESUME
    does = NextBoot.RESUME if resumed else NextBoot.START
    return BootPlan(does, _why_started(after, planned.guest, guest, down))


def _why_started(after: GuestRecord, left: GuestFacts, guest: GuestFacts, down: GuestPlan) -> str:
    """left: the guest as the host's stop leaves it."""
    if guest.up:
        no_save = down.reason or dict(down.left_out).get(Step.SAVE, "")
        return "it is running" if left.saved else f"it is running; no save: {no_save}"
    if after.settling is not None:
        return JUST_TURNED_OFF
    return desired_at_boot(after, left, _NEXT, autostart=left.autostart).reason


def _left_by_host_stop(guest: GuestFacts, down: GuestPlan) -> GuestFacts:
    """The guest as a preserve that goes well leaves it."""
    saved = down.saves if guest.up else guest.saved
    return replace(guest, state=State.SHUT_OFF, reason="unknown", saved=saved)


def _record_after_host_stop(
    record: GuestRecord | None, guest: GuestFacts, policy: Policy, now: Instant
) -> GuestRecord:
    """What the ledger says of the guest then: the same changes, in the same order."""
    boot = now.boot
    update = reconcile(record, guest, now, knows_image=True).update
    after = (update and update.record) or record or GuestRecord(guest.id, guest.name)
    if guest.up:
        return seen_down(taking_down(seen_up(after, boot), now))
    if after.settling != boot:
        return after
    if settling.remaining(after, policy.shutdown.settle, now) <= 0:
        return settled(after)
    explained = settling.host_goes_down(after)
    return (explained and explained.record) or after


def not_listed(records: Iterable[GuestRecord]) -> list[Row]:
    """Rows for guests that are wanted on, and that libvirt does not list: see plan.missing."""
    return [replace(_unread(it), reason=NOT_LISTED, why_wanted=NOT_LISTED) for it in records]


def unreadable(records: Iterable[GuestRecord], uris: Iterable[str]) -> list[Row]:
    """Rows for what the ledger knows of connections that could not be read."""
    lost = set(uris)
    return [
        _unread(record)
        for record in records
        if record.id.uri in lost and (record.wanted is not None or record.hold is not None)
    ]


def _unread(record: GuestRecord) -> Row:
    wanted = record.wanted or Wanted.OFF
    boots = _next_boot_unread(record, wanted)
    return Row(
        name=record.name,
        uuid=record.id.uuid,
        uri=record.id.uri,
        state=State.UNKNOWN,
        saved=None,
        wanted=wanted,
        up_since=None,
        stopped_by=record.stopped_by,
        stopped_at=record.stopped_at,
        stopped_how=record.how,
        certainty=record.certainty,
        autostart=None,
        held=record.hold,
        unready=None,
        waiting=None,
        given_up=None,
        shed=None,
        next_boot=boots,
        reason=record.hold if record.hold is not None else UNREAD,
        why_wanted=UNREAD,
    )


def _next_boot_unread(record: GuestRecord, wanted: Wanted) -> NextBoot | None:
    """None: what libvirt says of it, and whether it has a save, makes the difference."""
    if record.hold is not None:
        return NextBoot.HELD
    return NextBoot.STAY_DOWN if wanted is Wanted.OFF else None
