"""Looking at the files behind a save: when it is made, and before it is resumed from."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from .model import GuestFacts, PastSave, SaveState
from .ports import HypervisorError, Storage, within
from .staleness import Comparison, Stamp, Truth, compare, from_text, same_image, to_text
from .world import LOOK_LIMIT

LOOK_AGAIN = 2.0


class Evidence(NamedTuple):
    """What is remembered of a save, as text of staleness.py."""

    image: str
    stamps: str


async def take(storage: Storage, guest: GuestFacts) -> Evidence:
    """Stamp the image and the disks of a guest that was just saved, and whose QEMU has ended.

    Disks that do not answer in time are stamped with nothing: such a save is unverifiable.
    """
    image = await image_of(storage, guest)
    try:
        seen = await within(LOOK_LIMIT, storage.stamps(guest.nature.disks))
        stamps = [seen[disk] for disk in guest.nature.disks]
    except HypervisorError:
        stamps = [Stamp.unreadable(disk) for disk in guest.nature.disks]
    return Evidence(to_text([image] if image else []), to_text(stamps))


async def image_of(storage: Storage, guest: GuestFacts) -> Stamp | None:
    """The file of the guest's save as it is now; None where that cannot be told."""
    try:
        return await within(LOOK_LIMIT, storage.image(guest))
    except HypervisorError:
        return None


#: States of the newest save that say something of the image that is there.
_TELLING = (SaveState.DONE, SaveState.RESUMING, SaveState.RESUMED)


async def examine(
    storage: Storage, guest: GuestFacts, past: PastSave | None, boot: str, patience: float
) -> Comparison:
    """Whether the guest's save is still true; waits for disks that are not there yet.

    past: what the ledger knows of its newest save; patience in seconds.
    """
    if past is None or past.state not in _TELLING:
        return Comparison(Truth.UNVERIFIABLE, "guestctl did not see this save being made")
    image = await image_of(storage, guest)
    recorded = from_text(past.image)
    if any(not same_image(stamp, image) for stamp in recorded):
        return Comparison(Truth.UNVERIFIABLE, "somebody saved it again since guestctl did")
    if past.state is SaveState.RESUMED and not recorded:
        return Comparison(Truth.UNVERIFIABLE, "it cannot be told which save this is")
    if past.state is SaveState.RESUMED:
        return Comparison(Truth.CHANGED, "it was already resumed from this save")
    if past.state is SaveState.RESUMING and past.boot != boot:
        reason = "it was already being resumed from this save when the host went down"
        return Comparison(Truth.CHANGED, reason)
    return await _compare_patiently(storage, from_text(past.stamps), patience)


async def _compare_patiently(
    storage: Storage, stamps: tuple[Stamp, ...], patience: float
) -> Comparison:
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while True:
        found = await _compare(storage, stamps)
        if found.truth is not Truth.NOT_THERE or loop.time() >= end:
            return found
        await asyncio.sleep(LOOK_AGAIN)


async def _compare(storage: Storage, stamps: tuple[Stamp, ...]) -> Comparison:
    try:
        now = await within(LOOK_LIMIT, storage.stamps([stamp.disk for stamp in stamps]))
    except HypervisorError:
        return Comparison(Truth.NOT_THERE, "its disks do not answer")
    return compare(stamps, now)
