"""Looking at the files behind a save: when it is made, and before it is resumed from."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from ..decisions.staleness import (
    Comparison,
    Truth,
    compare,
    exactly,
    from_text,
    image_of,
    is_another,
    recognise,
    to_text,
    written_since,
)
from ..model.guest import Disk, GuestFacts
from ..model.ports import HypervisorError, Storage, within
from ..model.save import Found, PastSave, SaveState, Stamp
from .context import LOOK_LIMIT

LOOK_AGAIN = 2.0
#: How many guests' saves are looked for at one time.
LOOKS = 8


class SaveStamps(NamedTuple):
    """What is remembered of a save, as text of staleness.py; None for what is not known."""

    image: str | None
    disks: str | None


async def stamp(storage: Storage, guest: GuestFacts, limit: float = LOOK_LIMIT) -> SaveStamps:
    """Stamp the image and the disks of a guest that was just saved, and whose QEMU has ended.

    limit: seconds for each look.  Both at a time: the run's deadline may be over.
    """
    looks = image_text(storage, guest, limit), _disks_text(storage, guest, limit)
    return SaveStamps(*await asyncio.gather(*looks))


async def image_text(storage: Storage, guest: GuestFacts, limit: float = LOOK_LIMIT) -> str | None:
    """The stamps of the guest's save image and its folder; None where it cannot be stamped."""
    image = await _image(storage, guest, limit)
    if image is None or image.found is not Found.PRESENT:
        return None
    image = replace(image, content=await _content(storage, guest, limit))
    folder = await _folder(storage, guest, limit)
    return to_text([image, folder] if folder else [image])


async def with_image(storage: Storage, guest: GuestFacts) -> GuestFacts:
    """libvirt starts from an image that is there, also from one of which it does not know.

    Whether a guest has a save is a flag of the daemon's, set by a save and when it starts; one put
    back by hand since goes unnoticed (seen on libvirt 9.0).
    """
    (found,) = await with_images(storage, [guest])
    return found


async def with_images(storage: Storage, guests: Iterable[GuestFacts]) -> tuple[GuestFacts, ...]:
    """The same of several, a few at a time: a look at a disk that is gone takes 10 s.

    Where one look brings nothing, its connection is not asked again, hence one of each first.
    """
    silent: set[str] = set()
    slots = asyncio.Semaphore(LOOKS)

    async def look(guest: GuestFacts) -> GuestFacts:
        async with slots:
            image = None
            if guest.down and not guest.saved and guest.id.uri not in silent:
                image = await _image(storage, guest)
                silent.update({guest.id.uri} if image is None else ())
        there = image is not None and image.found is Found.PRESENT
        return replace(guest, saved=guest.saved or there)

    chosen = list(guests)
    first = {guest.id.uri: guest for guest in chosen if guest.down and not guest.saved}
    seen = {guest.id: guest for guest in await asyncio.gather(*map(look, first.values()))}
    others = await asyncio.gather(*(look(guest) for guest in chosen if guest.id not in seen))
    seen |= {guest.id: guest for guest in others}
    return tuple(seen[guest.id] for guest in chosen)


async def is_there(storage: Storage, guest: GuestFacts) -> bool | None:
    """Whether there is a file of the guest's save; None where that cannot be told."""
    image = await _image(storage, guest)
    known = image is not None and image.found in (Found.PRESENT, Found.MISSING)
    return image.found is Found.PRESENT if image is not None and known else None


async def is_wreck(storage: Storage, guest: GuestFacts) -> bool:
    """Whether what lies there is no complete save: one that broke off."""
    return bool(await is_there(storage, guest)) and not await _content(storage, guest)


async def _disks_text(storage: Storage, guest: GuestFacts, limit: float) -> str | None:
    if guest.info.disks is None:
        return None
    seen = await _stamps(storage, guest.info.disks, limit)
    return None if seen is None else to_text(seen.values())


async def _stamps(
    storage: Storage, disks: Collection[Disk], limit: float = LOOK_LIMIT
) -> dict[Disk, Stamp] | None:
    """None where nothing answers."""
    try:
        return await within(limit, storage.stamps(disks))
    except HypervisorError:
        return None


async def _content(storage: Storage, guest: GuestFacts, limit: float = LOOK_LIMIT) -> str:
    try:
        return await within(limit, storage.content(guest))
    except HypervisorError:
        return ""


async def _image(storage: Storage, guest: GuestFacts, limit: float = LOOK_LIMIT) -> Stamp | None:
    """None where it cannot be told where the image is, or where nothing answers."""
    try:
        return await within(limit, storage.image(guest))
    except HypervisorError:
        return None


async def _folder(storage: Storage, guest: GuestFacts, limit: float = LOOK_LIMIT) -> Stamp | None:
    try:
        return await within(limit, storage.folder(guest))
    except HypervisorError:
        return None


async def with_lost_media(storage: Storage, guests: Iterable[GuestFacts]) -> tuple[GuestFacts, ...]:
    """The guests, with what speaks against a save of those whose media were deleted meanwhile.

    Such as the CD-ROM image by which a guest was set up: libvirt resumes from no save without it.
    """
    found = tuple(guests)
    media = {disk for guest in found for disk in _media(guest)}
    seen = await _stamps(storage, media) if media else None
    lost = {disk for disk, stamp in (seen or {}).items() if stamp.found is Found.MISSING}
    return tuple(_unsavable(guest, lost) for guest in found)


def _media(guest: GuestFacts) -> list[Disk]:
    return [disk for disk in guest.info.disks or () if disk.read_only] if guest.up else []


def _unsavable(guest: GuestFacts, lost: Collection[Disk]) -> GuestFacts:
    reasons = tuple(
        f"{disk.name}, which it only reads, is not there, and it could not be resumed without"
        for disk in _media(guest)
        if disk in lost
    )
    unsavable = guest.info.unsavable + reasons
    return replace(guest, info=replace(guest.info, unsavable=unsavable)) if reasons else guest


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


def saved_to(saves: Sequence[PastSave]) -> str:
    """The path of the folder into which the newest save was written; empty where that is not
    known."""
    folder = _folder_of(saves[0]) if saves else None
    return folder.disk.name if folder else ""


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
    image = await _image(storage, guest)
    if image is None and not any(map(image_of, saves)):
        return await _examine_unstamped(storage, next(iter(saves), None), boot)
    if image is None or image.found is not Found.PRESENT:
        return await _examine_lost(storage, guest, saves)
    image = replace(image, content=await _content(storage, guest))
    # A newer save that came to nothing does not hide that this one was used.
    past = recognise(saves, image)
    if past is not None:
        return await _examine_known(storage, past, boot)
    return await _examine_unknown(storage, guest, saves, image, boot)


async def _examine_lost(
    storage: Storage, guest: GuestFacts, saves: Sequence[PastSave]
) -> Comparison:
    """libvirt says that there is a save: it may be on a file system that is not mounted yet."""
    folder = _folder_of(saves[0]) if saves else None
    if folder and await _look_once(storage, guest, folder) is Found.MISSING:
        reason = "libvirt says that it has one, and there is no file"
        return Comparison(Truth.UNUSABLE, reason)
    return Comparison(Truth.NOT_THERE, "its save cannot be read")


async def _examine_unknown(
    storage: Storage,
    guest: GuestFacts,
    saves: Sequence[PastSave],
    image: Stamp,
    boot: str,
) -> Comparison:
    """An image that is none of those known: it may be the newest all the same, changed since."""
    newest = next(iter(saves), None)
    unused = newest is not None and newest.state in (SaveState.DONE, SaveState.RESUMING)
    if newest is None or not unused or is_another(newest, image):
        return await _examine_unseen(storage, guest, image)
    found = await _examine_known(storage, newest, boot)
    if found.truth is Truth.SAME and image_of(newest):
        reason = "its save is not as guestctl saw it, though its disks are"
        return _unseen(reason)
    return found


def _unseen(reason: str) -> Comparison:
    return Comparison(Truth.UNVERIFIABLE, reason, known=False)


async def _examine_unseen(storage: Storage, guest: GuestFacts, image: Stamp) -> Comparison:
    """Nobody knows what its disks were like: only what is newer than the save speaks against it."""
    seen = await _stamps(storage, guest.info.disks or ())
    if seen is None:
        return Comparison(Truth.NOT_THERE, "its disks do not answer")
    if late := written_since(image, seen.values(), _local_time):
        return Comparison(Truth.CHANGED, late)
    return _unseen("guestctl did not see this save being made")


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
        return _unseen("guestctl did not see this save being made")
    return await _examine_known(storage, past, boot)


async def _compare_disks(storage: Storage, past: PastSave) -> Comparison:
    stamps = from_text(past.stamps)
    if stamps is None:
        reason = "its disks were not looked at when it was saved"
        return Comparison(Truth.UNVERIFIABLE, reason)
    now = await _stamps(storage, [stamp.disk for stamp in stamps])
    if now is None:
        return Comparison(Truth.NOT_THERE, "its disks do not answer")
    return compare(stamps, now, _local_time)


def _local_time(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a file can have any time
        return exactly(nanoseconds)
