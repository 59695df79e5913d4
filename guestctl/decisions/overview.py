"""What `list` and `plan --boot` show: facts and records side by side.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..model.guest import GuestFacts, GuestId, State
from ..model.overview import NextBoot, Row
from ..model.plan import RunKind, Step
from ..model.record import GuestRecord, Wanted, seen_down, seen_up, settled, taking_down
from . import settling
from .plan import Policies, plan_guest_down, plan_restore
from .policy import Policy
from .reconcile import reconcile
from .wanted import desired, hold_of

#: An id that no boot of a host has.
_NEXT = "the next boot"


class Moment(NamedTuple):
    """When a guest is looked at: in which boot, and the time in nanoseconds since the epoch."""

    boot: str
    now: int


_NOTHING = GuestRecord(GuestId("", ""), "")


def rows(
    guests: Iterable[GuestFacts],
    records: Mapping[GuestId, GuestRecord],
    policies: Policies,
    moment: Moment,
    *,
    owned: bool,
) -> list[Row]:
    """The guests that could be read, by name; owned: whether guestctl does libvirt's autostart."""
    made = [_row(guest, records.get(guest.id), policies, moment, owned=owned) for guest in guests]
    return sorted(made, key=lambda row: (row.name, row.uri, row.uuid))


def _row(
    guest: GuestFacts,
    record: GuestRecord | None,
    policies: Policies,
    moment: Moment,
    *,
    owned: bool,
) -> Row:
    found = desired(record, guest, moment.boot)
    said = record if record and not guest.up else _NOTHING
    held = hold_of(record, guest)
    boots = next_boot(record, guest, policies(guest), moment, owned=owned)
    return Row(
        name=guest.name,
        uuid=guest.id.uuid,
        uri=guest.id.uri,
        state=guest.state,
        saved=guest.saved,
        wanted=found.wanted,
        stopped_by=found.stopped_by,
        stopped_at=said.stopped_at,
        stopped_how=found.verdict.how if found.verdict else said.how,
        certainty=found.verdict.certainty if found.verdict else said.certainty,
        autostart=guest.autostart,
        held=held,
        next_boot=boots,
        reason=held if held and boots is NextBoot.HELD else found.reason,
    )


def next_boot(
    record: GuestRecord | None, guest: GuestFacts, policy: Policy, moment: Moment, *, owned: bool
) -> NextBoot:
    """What the next boot of the host does with the guest, were the host to go down now.

    It is the plan of that restore.  owned: whether guestctl does libvirt's autostart then.
    """
    if not guest.persistent:
        return NextBoot.STAY_DOWN
    facts = _left_by_host_stop(guest, policy)
    if guest.autostart and not owned:  # libvirt starts it, whatever guestctl thinks of it
        return NextBoot.RESUME if facts.saved else NextBoot.START
    after = _record_after_host_stop(record, guest, policy, moment)
    flags = (guest.id.uri,) if owned else ()
    plan = plan_restore([facts], {guest.id: after}, lambda _: policy, _NEXT, autostart=flags)
    for planned in plan.guests:
        if planned.outcome is None:
            resumed = planned.steps[0].step is Step.RESUME
            return NextBoot.RESUME if resumed else NextBoot.START
    return NextBoot.HELD if after.hold is not None else NextBoot.STAY_DOWN


def _left_by_host_stop(guest: GuestFacts, policy: Policy) -> GuestFacts:
    """The guest as a preserve that goes well leaves it."""
    saved = guest.saved
    if guest.up:
        saved = plan_guest_down(RunKind.PRESERVE, guest, policy).saves
    return replace(guest, state=State.SHUT_OFF, reason="unknown", saved=saved)


def _record_after_host_stop(
    record: GuestRecord | None, guest: GuestFacts, policy: Policy, moment: Moment
) -> GuestRecord:
    """What the ledger says of the guest then: the same changes, in the same order."""
    boot, now = moment
    update = reconcile(record, guest, boot, now, knows_image=True).update
    after = (update and update.record) or record or GuestRecord(guest.id, guest.name)
    if guest.up:
        return seen_down(taking_down(seen_up(after, boot), now))
    if after.settling != boot:
        return after
    if settling.remaining(after, policy.shutdown.settle, now) <= 0:
        return settled(after)
    explained = settling.host_goes_down(after)
    return (explained and explained.record) or after


def unreadable(
    records: Iterable[GuestRecord],
    uris: Iterable[str],
    policies: Policies,
    moment: Moment,
) -> list[Row]:
    """Rows for what the ledger knows of connections that could not be read."""
    lost = set(uris)
    return [
        _unread(record, policies, moment)
        for record in records
        if record.id.uri in lost and (record.wanted is not None or record.hold is not None)
    ]


def _unread(record: GuestRecord, policies: Policies, moment: Moment) -> Row:
    guest = GuestFacts(record.id, record.name, State.UNKNOWN)
    row = _row(guest, record, policies, moment, owned=True)
    return replace(
        row,
        held=record.hold,
        stopped_by=record.stopped_by,
        wanted=record.wanted or Wanted.OFF,
        reason="its connection could not be read",
    )
