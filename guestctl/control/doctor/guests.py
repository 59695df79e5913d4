"""What only the doctor looks at of guests and their storage."""

from __future__ import annotations

import asyncio

from ...host.libvirt import needs as libvirt_needs
from ...model.host_guests import GuestsInFull
from ...model.host_needs import HostNeeds
from ...model.host_state import NotKnown, NotSeen
from ...model.ports import HypervisorError
from ...model.save import Found
from .look import Look


def gather(look: Look) -> GuestsInFull:
    """Which files of which guests are not there.  Blocks for as long as a file does."""
    disks = {guest.id: guest.info.disks or () for guest in look.facts.guests}
    every = {disk for those in disks.values() for disk in those}
    stamps = asyncio.run(look.local.storage.stamps(every))
    gone = {disk for disk, stamp in stamps.items() if stamp.found is Found.MISSING}
    missing = {of: tuple(it.name for it in those if it in gone) for of, those in disks.items()}
    return GuestsInFull({guest: paths for guest, paths in missing.items() if paths})


def needs(look: Look) -> HostNeeds:
    """What guests need to be started, and what there is of it, of each connection that answers.

    Raises NotSeen where one does not any more.
    """
    facts = look.facts
    lost = {connection.uri for connection in facts.lost}
    return asyncio.run(_needs({uri: _uuids(look, uri) for uri in facts.uris if uri not in lost}))


def _uuids(look: Look, uri: str) -> list[str]:
    return [guest.id.uuid for guest in look.facts.guests if guest.id.uri == uri]


async def _needs(uuids: dict[str, list[str]]) -> HostNeeds:
    try:
        found = await asyncio.gather(*(libvirt_needs.read(*each) for each in uuids.items()))
    except HypervisorError as error:
        raise NotSeen(NotKnown("what guests need to be started", str(error))) from error
    guests = {guest: of for read, _ in found for guest, of in read.items()}
    supplies = dict(zip(uuids, (of for _, of in found), strict=True))
    absent = libvirt_needs.absent({of.emulator for of in guests.values() if of.emulator})
    return HostNeeds(guests, supplies, absent)
