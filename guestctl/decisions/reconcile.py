"""A pass over a guest: what is known of it and what is seen of it now, to what is to be written.

The one decision of this kind: runs begin with it, and the service makes it at each event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ..model.guest import GuestFacts
from ..model.history import Note
from ..model.instant import Instant
from ..model.record import GuestRecord, Wanted, held, released, seen_up, settled
from ..model.stop import Certainty, StoppedBy
from ..model.text import argument
from ..model.update import Update
from . import attempts, autostart
from .wanted import (
    IN_DOUBT,
    NOT_FOR_THIS_HOST,
    UNWATCHED,
    Desired,
    Watched,
    desired,
    hold_of,
)

HOLD_ENDS = Note("guestctl:release", "its save is gone")


MEANT = Note(
    "guestctl:settle", "it stays down: guestctl was stopped, and the power went at some time later"
)
DOUBT_ENDS = Note("guestctl:release", "somebody has started it")


def _doubt(found: Desired) -> tuple[Note, ...]:
    return (Note("guestctl:hold", f"held: {found.doubt}"),) if found.doubt else ()


class Reconciled(NamedTuple):
    """What holds for the guest now, and what has to be written for that; None for nothing."""

    desired: Desired
    update: Update | None


def reconcile(
    record: GuestRecord | None,
    guest: GuestFacts,
    now: Instant,
    watched: Watched = UNWATCHED,
    *,
    knows_image: bool = False,
) -> Reconciled:
    """Bring what the ledger says of a guest in line with what is seen of it.

    now: in which boot, and when.  watched: what was heard of its stop.
    knows_image: the guest's save was looked for in its folder, too; libvirt may not know of it.
    """
    boot = now.boot
    word = _word_of_before(record, boot, watched)
    record = _as_heard(word or record, guest, boot, watched)
    if record and record.up_boot == boot and (guest.down or watched.lingers):
        intent = attempts.intent(record.attempts, now.up, watched.window)
        watched = replace(watched, intent=intent)
    found = desired(record, guest, boot, watched)
    update = _update(record, guest, found, watched, now, knows_image=knows_image)
    if update is not None and (note := _by_others(record, guest, boot, watched)):
        update = replace(update, remarks=(note, *update.remarks))
    if word is not None:
        made = update or Update(guest.id)
        update = replace(made, record=made.record or word, remarks=(MEANT, *made.remarks))
    return Reconciled(found, update)


def _word_of_before(record: GuestRecord | None, boot: str, watched: Watched) -> GuestRecord | None:
    """Of a stop that nobody followed until it had settled: somebody's word is all that is known."""
    off = record is not None and record.wanted is Wanted.OFF
    if record is None or not (off and watched.left_alone) or record.settling in (None, boot):
        return None
    return settled(record)


def _by_others(
    record: GuestRecord | None, guest: GuestFacts, boot: str, watched: Watched
) -> Note | None:
    """What is said of a start that no run has in hand or has noted.

    It was heard of; or it cannot have been a run's, since the guest was held for its save.
    """
    noted = record is not None and record.up_boot == boot
    hold = record.hold if record else None
    told = watched.was_started or bool(record and record.held_for_save)
    if noted or not (told and guest.started and guest.persistent):
        return None
    deed = "resumed from its save" if watched.started_as == "restored" else "started"
    against = f", although it was held: {hold}" if hold is not None else ""
    return Note("guestctl:watch", f"{deed}, not by guestctl{against}")


def _as_heard(
    record: GuestRecord | None, guest: GuestFacts, boot: str, watched: Watched
) -> GuestRecord | None:
    """What was known before the stop that was heard of."""
    if not watched.heard:
        return record
    lived = watched.was_started and guest.down and guest.persistent
    if lived and not attempts.explain(record.attempts if record else (), guest.reason):
        return seen_up(record or GuestRecord(guest.id, guest.name), boot)
    if record and record.certainty is Certainty.INFERRED:
        # A command looked first, and could only guess.
        return replace(record, wanted=Wanted.ON, up_boot=boot, taken_down=False)
    return record


def _update(
    record: GuestRecord | None,
    guest: GuestFacts,
    found: Desired,
    watched: Watched,
    now: Instant,
    *,
    knows_image: bool,
) -> Update | None:
    before = replace(record or GuestRecord(guest.id, guest.name), name=guest.name)
    hold_ends = _is_hold_over(record, guest, knows_image=knows_image)
    after = released(before) if hold_ends else before
    is_up = False
    if guest.starting or guest.in_transit:
        pass  # neither up nor down yet
    elif found.verdict:
        after = autostart.stopped_with_flag(after, guest, found, watched, now)
        after = _held_in_doubt(after, found)
    elif guest.ending or watched.lingers:
        pass  # it is not up any more, and what comes of that may be known already
    elif guest.up and guest.persistent and not _may_still_go_down(record, guest, now):
        after, is_up = seen_up(autostart.noticed(after, guest), now.boot, now.at), True
    else:
        after = autostart.noticed(after, guest)
    nothing_known = record is None and not is_up and not found.verdict
    if after == record or nothing_known:
        return Update(guest.id, is_up=True) if is_up else None
    ends = HOLD_ENDS if before.held_for_save else DOUBT_ENDS
    remarks = (
        *([ends] if hold_ends else []),
        *_doubt(found),
        *_by_libvirt_guests(after, found),
        *autostart.remark(before, after),
    )
    return Update(guest.id, after, found.verdict, remarks, is_up=is_up)


def _by_libvirt_guests(record: GuestRecord, found: Desired) -> tuple[Note, ...]:
    """What comes of a stop that was nobody's word about the guest, and what to type."""
    if found.verdict is None or found.verdict.who is not StoppedBy.LIBVIRT_GUESTS:
        return ()
    start = f"guestctl start {argument(record.name)}"
    text = f"libvirt-guests took it down as it was stopped: the next boot starts it, or {start}"
    return (Note("guestctl:watch", text),)


def _held_in_doubt(record: GuestRecord, found: Desired) -> GuestRecord:
    return held(record, found.doubt) if found.doubt and record.hold is None else record


def _is_hold_over(record: GuestRecord | None, guest: GuestFacts, *, knows_image: bool) -> bool:
    """A hold that guestctl put on a guest because of its save ends with the save."""
    if record is None or record.hold is None:
        return False
    if record.hold.startswith((IN_DOUBT, NOT_FOR_THIS_HOST)):
        return guest.started  # it can be, and whoever did it knows that it runs nowhere else
    if hold_of(record, guest) is not None:
        return False
    return guest.up or knows_image


def _may_still_go_down(record: GuestRecord | None, guest: GuestFacts, now: Instant) -> bool:
    """Whether a run that was cut off may still take the guest down: that is no one else's doing.

    libvirt can go on with a save that was given up, and aborted in vain.
    """
    if record is None or not record.taken_down:
        return False
    saved_by_us = record.up_boot == now.boot and attempts.saves(record.attempts)
    return (guest.saving and saved_by_us) or attempts.may_be_under_way(record.attempts, now.up)
