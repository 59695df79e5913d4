"""What a save leaves that failed or was aborted: part of an image, a guest that stands still."""

from __future__ import annotations

import asyncio

from ..model.guest import GuestFacts, State
from ..model.ports import CALL_LIMIT, ErrorKind, HypervisorError, Storage, within
from .live_guest import LiveGuest
from .save_check import is_wreck

#: A connection that libvirtd took with it shows so when it is next used: how often, and how many
#: seconds apart, it is tried again.
TRIES, AGAIN = 3, 1.0
#: Seconds for libvirt to tell whether it is still at the save.
HASTE = 2.0
REMOVED = "what its failed save left was removed"
#: Why a guest may be paused by then that no save has paused.
_MEANT = ("user", "I/O error", "watchdog", "crashed")
RUNS_AGAIN = "its failed save left it paused: it runs again"


async def see_to_failed_save(live: LiveGuest, storage: Storage, *, ran: bool) -> list[str]:
    """Put a guest that is still up into the state of before; what was done, for its trail.

    ran: whether it ran before the save.  It goes by what was last seen of the guest.  Nothing is
    done while libvirt is still at it, or does not answer.
    """
    done: list[str] = []
    for _ in range(TRIES):
        try:
            await _put_right(live, storage, done, ran=ran)
        except HypervisorError as error:
            if error.kind is not ErrorKind.UNREACHABLE:
                break  # the next step, or a person, has what is left
            await asyncio.sleep(AGAIN)
        else:
            break
    return done


async def _put_right(live: LiveGuest, storage: Storage, done: list[str], *, ran: bool) -> None:
    if REMOVED not in done and await _has_image(live, storage) and not await _is_under_way(live):
        await within(CALL_LIMIT, live.hypervisor.discard_save(live.uuid))
        done.append(REMOVED)
    if ran and _stands_still(live.facts) and not await _is_under_way(live):
        await within(CALL_LIMIT, live.hypervisor.unpause(live.uuid))
        done.append(RUNS_AGAIN)


async def _has_image(live: LiveGuest, storage: Storage) -> bool:
    """Nothing of the guest is in it, since it is up.

    libvirt does not always list what it leaves (seen on 11.3 with gzip).
    """
    facts = live.facts
    return facts.up and (facts.saved or await is_wreck(storage, facts))


def _stands_still(facts: GuestFacts) -> bool:
    """libvirtd 12.8 crashes when a save that compresses is aborted, and leaves its guest so."""
    return facts.state is State.PAUSED and facts.reason not in _MEANT


async def _is_under_way(live: LiveGuest) -> bool:
    """Asked in haste: a QEMU that does not answer is left to the next step."""
    return await within(HASTE, live.hypervisor.job(live.uuid)) is not None
