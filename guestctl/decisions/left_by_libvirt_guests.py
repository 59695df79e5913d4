"""Guests on the list that libvirt-guests left as it was last stopped.  Pure.

Whoever takes over from it owes them a start: it took them down, and nobody turned them off.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.guest import GuestFacts
from ..model.history import Note
from ..model.instant import Instant
from ..model.record import GuestRecord, Wanted, stopped
from ..model.stop import Certainty, How, RivalStop, StoppedBy, Verdict
from ..model.update import Update
from .reconcile import reconcile
from .wanted import Watched

#: libvirt's words where the guest did not run since the host booted.
_NOT_SINCE = ("unknown", "failed")
_EVIDENCE = "libvirt-guests was stopped in an earlier boot, and had it on its list"
_WANTED = Note("guestctl:takeover", "it is on the list that libvirt-guests left: it is wanted on")


def owed(
    record: GuestRecord | None, guest: GuestFacts, rival: RivalStop | None, now: Instant
) -> Update | None:
    """What is to be written of a guest on the list; None where that gives it nothing.

    rival: that stop, where it was in this boot.
    """
    if not (guest.down and guest.persistent):
        return None
    if rival is not None:
        found = reconcile(record, guest, now, Watched(rival=rival))
        owes = found.desired.stopped_by is StoppedBy.LIBVIRT_GUESTS
        return _remarked(found.update) if owes else None
    return None if _is_decided(record) else _of_before(record, guest, now)


def _is_decided(record: GuestRecord | None) -> bool:
    """Whether it is known whether it is to be on, and not only guessed: who asked guestctl, or was
    seen by it to turn the guest off, did so after the list was made, as far as can be told."""
    if record is None or record.wanted is None:
        return False
    guessed = record.stopped_by is StoppedBy.UNKNOWN and record.certainty is Certainty.INFERRED
    return record.wanted is Wanted.ON or not guessed


def _of_before(record: GuestRecord | None, guest: GuestFacts, now: Instant) -> Update | None:
    """The stop was in an earlier boot, and libvirt forgot why the guest is off."""
    if guest.reason not in _NOT_SINCE:  # it ran since, and went down in some other way
        return None
    before = record or GuestRecord(guest.id, guest.name)
    how = How.SAVED if guest.saved else None
    verdict = Verdict(StoppedBy.LIBVIRT_GUESTS, how, Certainty.INFERRED, (_EVIDENCE,))
    return _remarked(Update(guest.id, stopped(before, Wanted.ON, verdict, now), verdict))


def _remarked(update: Update | None) -> Update | None:
    return update and replace(update, remarks=(*update.remarks, _WANTED))
