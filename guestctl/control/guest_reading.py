"""Settings of guests that libvirt is asked for: each one's, and what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from ..config.reading import Reading
from ..config.settings import Order
from ..model.guest import GuestFacts, GuestId, State
from ..runs.context import Inventory
from .guest_settings import GuestSettings, with_places, with_remarks
from .local import Local, refuse_unreachable
from .requests import Named, find

#: How long guests are asked for where it is for a remark only, in seconds.
_A_LOOK = 5.0


def with_guests(found: Reading, local: Local) -> Reading:
    """The reading with what there is to say of guests that there are: a [[guest]] that is for none
    of them, mistakes in their metadata and in their order.  As it is where not all guests could be
    read."""
    guests = _guests_to_look_at(found, local)
    return found if guests is None else with_remarks(found, guests)


def _guests_to_look_at(found: Reading, local: Local) -> Collection[GuestFacts] | None:
    config = found.config
    if not (config.guests or config.general.metadata) and config.order == Order():
        return None
    try:
        inventory = asyncio.run(_read_within(_A_LOOK, local))
    except TimeoutError:
        return None
    return None if inventory.lost else inventory.guests


async def _read_within(limit: float, local: Local) -> Inventory:
    async with asyncio.timeout(limit):
        return await replace(local, complain=lambda _: None).read(domain_info=True)


def settings_of(found: Reading, name: str, local: Local) -> GuestSettings:
    """Those of the guest of this name or UUID, and where there is none, of one called so.

    RequestError where several are called so.
    """
    inventory = asyncio.run(local.read(domain_info=True))
    guest = _find(name, inventory.guests)
    if guest is None:
        local.complain(f'no guest "{name}" is to be seen: these are the settings for that name')
        guest = GuestFacts(GuestId("", ""), name, State.UNKNOWN)
    return with_places(found, guest)


def policy_of(found: Reading, name: str, local: Local) -> GuestSettings:
    """The same of a guest that there is.  RequestError for none, and where none can be read."""
    guest, _ = read_named(name, local)
    return with_places(found, guest)


def read_named(name: str, local: Local) -> tuple[GuestFacts, Inventory]:
    """The guest of this name or UUID, with what its XML says, and all others."""
    inventory = asyncio.run(local.read(domain_info=True))
    refuse_unreachable(inventory, local.uris)
    known = {guest.id: guest for guest in inventory.guests}
    (chosen,) = find([name], [Named(guest.id, guest.name) for guest in known.values()])
    return known[chosen], inventory


def _find(name: str, guests: Collection[GuestFacts]) -> GuestFacts | None:
    called = {guest.id: guest for guest in guests if name == guest.name}
    called = called or {guest.id: guest for guest in guests if name.lower() == guest.id.uuid}
    if not called:
        return None
    (found,) = find([name], [Named(guest.id, guest.name) for guest in called.values()])
    return called[found]
