"""Looking at the files behind a save: when it is made, and before it is resumed from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..decisions.staleness import Comparison, Truth, compare, from_text, same_image, to_text
from ..model.guest import GuestFacts
from ..model.ports import HypervisorError, Storage, within
from ..model.save import Found, PastSave, SaveState, Stamp
from .context import LOOK_LIMIT

LOOK_AGAIN = 2.0


class SaveStamps(NamedTuple):
    """What is remembered of a save, as text of staleness.py; None for what is not known."""

    image: str | None
    disks: str | None


async def stamp(storage: Storage, guest: GuestFacts) -> SaveStamps:
    """Stamp the image and the disks of a guest that was just saved, and whose QEMU has ended."""
    return SaveStamps(await image_text(storage, guest), await _disks_text(storage, guest))


async def image_text(storage: Storage, guest: GuestFacts) -> str | None:
    """The stamps of the guest's save image and its folder; None where it cannot be stamped."""
    image = await _image(storage, guest)
    if image is None or image.found is not Found.PRESENT:
        return None
    folder = await _folder(storage, guest)
    return to_text([image, folder] if folder else [image])


async def with_image(storage: Storage, guest: GuestFacts) -> GuestFacts:
    """libvirt starts from an image that is there, also from one of which it does not know.

    Whether a guest has a save is a flag of the daemon's, set by a save and when it starts; one put
    back by hand since goes unnoticed (seen on libvirt 9.0).
    """
    if guest.saved or not guest.down:
        return guest
    image = await _image(storage, guest)
    return replace(guest, saved=image is not None and image.found is Found.PRESENT)


async def _disks_text(storage: Storage, guest: GuestFacts) -> str | None:
    if guest.info.disks is None:
        return None
    try:
        seen = await within(LOOK_LIMIT, storage.stamps(guest.info.disks))
    except HypervisorError:
        return None
    return to_text(seen[disk] for disk in guest.info.disks)


async def _image(storage: Storage, guest: GuestFacts) -> Stamp | None:
    """None where it cannot be told where the image is, or where nothing answers."""
    try:
        return await within(LOOK_LIMIT, storage.image(guest))
    except HypervisorError:
        return None


async def _folder(storage: Storage, guest: GuestFacts) -> Stamp | None:
    try:
        return await within(LOOK_LIMIT, storage.folder(guest))
    except HypervisorError:
        return None


async def look_for_save(
    storage: Storage, guest: GuestFacts, saves: Sequence[PastSave], wait: float
) -> Found | None:
    """Where is the save that a guest without one should have?  None: it should have none.

    It is MISSING only if its folder is the one into which it was written; a folder of another
    inode, or none, is not mounted yet, and is waited for.
    """
    folder = _folder_of(saves[0]) if saves else None
    if folder is None:
        return None
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    while True:
        found = await _look_once(storage, guest, folder)
        if found is not Found.UNREADABLE or loop.time() >= end:
            return found
        await asyncio.sleep(LOOK_AGAIN)


def _folder_of(save: PastSave) -> Stamp | None:
    """The folder of a save that was made and, as far as is known, never used."""
    stamps = from_text(save.image) or ()
    unused = save.state in (SaveState.DONE, SaveState.RESUMING)
    return stamps[1] if unused and len(stamps) > 1 else None


async def _look_once(storage: Storage, guest: GuestFacts, was: Stamp) -> Found:
    image, folder = await _image(storage, guest), await _folder(storage, guest)
    if image is not None and image.found is Found.PRESENT:
        return Found.PRESENT
    same = folder is not None and (folder.found, folder.inode) == (was.found, was.inode)
    missing = image is not None and image.found is Found.MISSING
    return Found.MISSING if same and missing else Found.UNREADABLE


async def examine(
    storage: Storage, guest: GuestFacts, saves: Sequence[PastSave], boot: str, wait: float
) -> Comparison:
    """Whether the guest's save is still true; waits for files that are not there yet.

    saves: what the ledger knows of its saves, newest first; wait in seconds.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    while True:
        found = await _examine_once(storage, guest, saves, boot)
        if found.truth is not Truth.NOT_THERE or loop.time() >= end:
            return found
        await asyncio.sleep(LOOK_AGAIN)


async def _examine_once(
    storage: Storage, guest: GuestFacts, saves: Sequence[PastSave], boot: str
) -> Comparison:
    stamped = [(save, stamps[0]) for save in saves if (stamps := from_text(save.image))]
    if not stamped:
        return await _examine_unstamped(storage, next(iter(saves), None), boot)
    image = await _image(storage, guest)
    if image is None or image.found is not Found.PRESENT:
        return Comparison(Truth.NOT_THERE, "its save cannot be read")
    # A newer save that came to nothing does not hide that this one was used.
    past = next((save for save, stamp in stamped if same_image(stamp, image)), None)
    if past is None and not from_text(saves[0].image):
        return await _examine_unstamped(storage, saves[0], boot)
    if past is None:
        return Comparison(Truth.UNVERIFIABLE, "guestctl did not see this save being made")
    return await _examine_known(storage, past, boot)


async def _examine_known(storage: Storage, past: PastSave, boot: str) -> Comparison:
    if past.state is SaveState.RESUMED:
        return Comparison(Truth.CHANGED, "it was already resumed from this save")
    if past.state is SaveState.DISCARDED:
        return Comparison(Truth.CHANGED, "this save was discarded")
    if past.state is SaveState.RESUMING and past.boot != boot:
        reason = "it was already being resumed from this save when the host went down"
        return Comparison(Truth.CHANGED, reason)
    return await _compare_disks(storage, past)


async def _examine_unstamped(storage: Storage, past: PastSave | None, boot: str) -> Comparison:
    """Where it cannot be told which save an image is: the newest that is known has to do."""
    if past is None or past.state not in (SaveState.DONE, SaveState.RESUMING):
        return Comparison(Truth.UNVERIFIABLE, "guestctl did not see this save being made")
    return await _examine_known(storage, past, boot)


async def _compare_disks(storage: Storage, past: PastSave) -> Comparison:
    stamps = from_text(past.stamps)
    if stamps is None:
        reason = "its disks were not looked at when it was saved"
        return Comparison(Truth.UNVERIFIABLE, reason)
    try:
        now = await within(LOOK_LIMIT, storage.stamps([stamp.disk for stamp in stamps]))
    except HypervisorError:
        return Comparison(Truth.NOT_THERE, "its disks do not answer")
    return compare(stamps, now)
