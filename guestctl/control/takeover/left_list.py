"""The list that libvirt-guests left at its last stop: guests on it that are off are wanted on.

Then it goes: the next start of libvirt-guests, after a handback, would bring up whom it names, be
that years later.  A guest that runs needs nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import NamedTuple

from ...decisions.left_by_libvirt_guests import owed
from ...host import libvirt_guests, own_files
from ...host.libvirt_guests import LIST, LibvirtGuests
from ...ledger.ledger import Ledger
from ...model.guest import GuestFacts
from ...model.record import Wanted
from ...model.report import names
from ...model.stop import RivalStop
from ..gathering import gather
from ..local import Local
from .step import Before, Say, Step, StepFailed


class _Found(NamedTuple):
    """Names.  on: off, and wanted on.  off: they stay off, for somebody has turned them off since,
    or they are held."""

    on: list[str]
    off: list[str]


def step(local: Local) -> Step:
    """The step.  local: to ask libvirt and the ledger."""
    return Step(
        "list",
        "have guests wanted on that libvirt-guests took down at its last stop, by its list",
        "",
        look=_before,
        is_done=lambda: not LIST.exists(),
        do=lambda say: _do(local, say),
        undo=_undo,
        hand_back=_hand_back,
        is_back=lambda _before: not LIST.exists(),
    )


def _before() -> Before:
    try:
        return {"text": LIST.read_text(), "mtime": LIST.stat().st_mtime_ns}
    except (FileNotFoundError, UnicodeDecodeError):
        return {}


def _do(local: Local, say: Say) -> None:
    listing = libvirt_guests.read(LIST)
    if listing is None:
        hint = "it is no file that root alone can write: look at it, and remove it"
        raise StepFailed(f"cannot read {LIST}: {hint}")
    rival, facts = asyncio.run(LibvirtGuests().newest_stop()), gather(local)
    if facts.lost:
        lost = "; ".join(connection.reason for connection in facts.lost)
        raise StepFailed(f"cannot tell which guests of {LIST} are off: {lost}")
    listed = [guest for guest in facts.guests if guest.id.uuid in listing.uuids]
    guests = sorted(listed, key=lambda guest: guest.name)
    found = local.write_ledger(lambda ledger: _book(ledger, guests, rival))
    _tell(found, len(listing.uuids) - len(guests), say)
    _remove()


def _book(ledger: Ledger, guests: Iterable[GuestFacts], rival: RivalStop | None) -> _Found:
    found = _Found([], [])
    now = ledger.now()
    records = ledger.guests(now.boot)
    for guest in guests:
        record = records.get(guest.id)
        if (update := owed(record, guest, rival, now)) is not None:
            ledger.apply(update)
            record = update.record or record
        if guest.down:
            wanted = record is not None and record.wanted is Wanted.ON and record.hold is None
            (found.on if wanted else found.off).append(guest.name)
    return found


def _tell(found: _Found, gone: int, say: Say) -> None:
    if found.on:
        text = (
            "are wanted on from now on: `guestctl start` brings them up, and so does the next boot"
        )
        say(f"  {names(found.on)}: {text}")
    if found.off:
        say(f"  {names(found.off)}: off, and stay so: somebody wanted that after libvirt-guests")
    if gone:
        say(f"  {gone} more on its list are no guests of this host's any more")


def _remove() -> None:
    LIST.unlink(missing_ok=True)
    own_files.sync(LIST.parent)


def _undo(before: Before | None, _say: Say) -> None:
    """The list is as it was; that its guests are wanted on is true all the same."""
    if not before or LIST.exists():
        return
    own_files.replace(LIST, before["text"], 0o644, synced=True)
    os.utime(LIST, ns=(before["mtime"], before["mtime"]))


def _hand_back(_before: Before | None, say: Say) -> None:
    """One that was left since is of before guestctl, too; or of a stop that somebody made."""
    listing = libvirt_guests.read(LIST)
    if listing and listing.uuids:
        say(
            f"  {LIST} is removed: libvirt-guests would start whom it took down at some time before"
        )
    _remove()
