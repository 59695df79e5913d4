"""Stops that the host's own end explains, if it comes soon enough ([shutdown] settle).  Pure.

Such a guest comes back: a UPS client in it, or an operator's script, was quicker than the host.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.history import Note
from ..model.instant import Instant
from ..model.record import (
    GuestRecord,
    Wanted,
    begins_to_settle,
    hosts_doing,
    settled,
    somebodys_doing,
)
from ..model.stop import StoppedBy, Verdict
from ..model.update import Update
from .reconcile import Reconciled

SOURCE = "guestctl:settle"
#: Stops that were not somebody's act on this host do not settle.
_NOBODY = frozenset({StoppedBy.HOST, StoppedBy.MOVED, StoppedBy.CRASH, StoppedBy.LIBVIRT_GUESTS})


def must_settle(found: Reconciled) -> bool:
    """Whether somebody has stopped the guest, as was found just now, and it is to be off."""
    is_off = found.desired.verdict is not None and found.desired.wanted is Wanted.OFF
    return is_off and found.desired.stopped_by not in _NOBODY


def begin(update: Update, boot: str) -> Update:
    """The same update of a guest that was stopped just now, in this boot."""
    assert update.record is not None
    return replace(update, record=begins_to_settle(update.record, boot))


def host_goes_down(record: GuestRecord) -> Update | None:
    """Of a guest that settles: it was stopped just before, and comes back."""
    if record.wanted is not Wanted.OFF:
        return None
    text = "it comes back: the host went down just after its stop"
    return Update(record.id, hosts_doing(record), remarks=(Note(SOURCE, text),))


def host_stays_up(record: GuestRecord, verdict: Verdict | None) -> Update | None:
    """Of a guest that settles, and was to come back: the shutdown was cancelled.

    verdict: what was said of its stop.
    """
    if not _is_to_come_back(record):
        return None
    text = "it stays down: the host did not go down after all"
    after = somebodys_doing(record, verdict)
    return Update(record.id, after, remarks=(Note(SOURCE, text),))


def stopped_as_host_went_down(found: Reconciled, boot: str) -> Update | None:
    """Of a guest that was up when the host began to go down, and was then found off.

    Nobody but the run has noticed its stop yet.  Should the shutdown be cancelled, it was
    somebody's doing after all.
    """
    update, desired = found.update, found.desired
    if update is None or update.record is None or desired.verdict is None:
        return update
    if desired.wanted is Wanted.ON or desired.stopped_by is StoppedBy.MOVED:
        return update
    record = hosts_doing(begins_to_settle(update.record, boot))
    remark = Note(SOURCE, "it comes back: it stopped as the host went down")
    return replace(update, record=record, remarks=(*update.remarks, remark))


def time_is_over(record: GuestRecord, verdict: Verdict | None) -> GuestRecord:
    """The settle time has passed, and the host is still up: whoever stopped the guest meant it.

    A shutdown that is cancelled, and whose run is just being ended, can have made it come back.
    """
    meant = somebodys_doing(record, verdict) if _is_to_come_back(record) else record
    return settled(meant)


def _is_to_come_back(record: GuestRecord) -> bool:
    return record.wanted is Wanted.ON and record.taken_down


def remaining(record: GuestRecord, settle: float, now: Instant) -> float:
    """Seconds until a stop has settled; all of them where nobody knows when it was.

    settle: in seconds.
    """
    return settle - (now.seconds_since(record.stopped_boot, record.stopped_up) or 0.0)
