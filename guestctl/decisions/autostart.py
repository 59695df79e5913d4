"""libvirt's autostart flags as their owner's words: what is newer, the flag or a stop?  Pure.

While guestctl owns autostart libvirt starts nobody, so what `virsh autostart` says has to be
heard here.  A flag says nothing of the moment in which it is set: it is for the next boot.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.guest import GuestFacts, State
from ..model.history import Note
from ..model.instant import Instant
from ..model.record import (
    GuestRecord,
    Wanted,
    asked_for,
    flag_seen,
    stopped,
    turned_off,
)
from ..model.stop import StoppedBy
from ..model.update import Update
from .wanted import Desired, Watched

SOURCE = "guestctl:autostart"
SET = "libvirt's autostart flag was set since"
TAKEN = "libvirt's autostart flag was taken away since"
ONCE = "libvirt was told to start it once at boot (autostart --once)"


def is_readable(guest: GuestFacts) -> bool:
    """Whether its flag is known; a transient guest has none."""
    return guest.persistent and guest.state is not State.UNKNOWN


def noticed(record: GuestRecord, guest: GuestFacts) -> GuestRecord:
    """Its flag, as it was just seen."""
    return flag_seen(record, flag=guest.autostart) if is_readable(guest) else record


def stopped_with_flag(
    record: GuestRecord, guest: GuestFacts, found: Desired, watched: Watched, now: Instant
) -> GuestRecord:
    """It was stopped, as was found just now.

    What was done to the flag before a stop that was heard of is older than the stop.  Where nobody
    watched, a flag that is another than before was changed last, as far as anybody can tell.
    """
    assert found.verdict is not None
    wanted, verdict = found.wanted, found.verdict
    if watched.heard:
        return stopped(noticed(record, guest), wanted, verdict, now)
    return noticed(stopped(record, wanted, verdict, now), guest)


def remark(before: GuestRecord, after: GuestRecord) -> tuple[Note, ...]:
    """What a change of the flag means, where it changes what the next boot does."""
    if after.flag_word is None or after.flag_word is before.flag_word:
        return ()
    if after.flag_word and after.wanted is Wanted.OFF:
        return (Note(SOURCE, f"{SET}: the next boot starts it"),)
    if not after.flag_word and after.wanted is Wanted.ON:
        return (Note(SOURCE, f"{TAKEN}: the next boot leaves it down"),)
    return ()


def at_boot(
    record: GuestRecord | None, guest: GuestFacts, now: Instant, *, once: bool
) -> Update | None:
    """What the flags have said of a guest that is down at a boot, as the newest word.

    once: whether what libvirt was told for one boot is ours to do.
    """
    if not guest.down or not guest.persistent:
        return None
    before = replace(record or GuestRecord(guest.id, guest.name), name=guest.name)
    if once and guest.autostart_once:
        return Update(guest.id, asked_for(before, now.boot), remarks=(Note(SOURCE, ONCE),))
    if before.flag_word and before.wanted is Wanted.OFF:
        return Update(guest.id, asked_for(before, now.boot), remarks=(Note(SOURCE, SET),))
    if before.flag_word is False and before.wanted is Wanted.ON:
        off = turned_off(before, StoppedBy.ADMINISTRATOR, now)
        return Update(guest.id, off, remarks=(Note(SOURCE, TAKEN),))
    return None
