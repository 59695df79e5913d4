"""The clock of a guest that was resumed: it stood still while the guest was saved."""

from __future__ import annotations

import asyncio

from ..model.instant import Clock
from ..model.ports import ErrorKind, HypervisorError
from .live_guest import LiveGuest

#: How long a resumed guest's agent has, in all, to take the host's time.
LIMIT = 10.0
PAUSE = 1.0
_NO_ANSWER = HypervisorError(ErrorKind.NO_ANSWER, "the guest agent did not answer")


async def set_clock(live: LiveGuest, clock: Clock) -> str:
    """Give it the host's time through its agent; what came of that, for the trail.

    An agent needs a moment after a resume; a guest without one is left as it is, without a word.
    """
    error: HypervisorError | None = _NO_ANSWER
    try:
        async with asyncio.timeout(LIMIT):
            while error is not None and error.kind is ErrorKind.NO_ANSWER:
                error = await _try_once(live, clock)
                if error is not None and error.kind is ErrorKind.NO_ANSWER:
                    await asyncio.sleep(PAUSE)
    except TimeoutError:
        pass
    if error is None:
        return "its clock was set"
    return "" if error.kind is ErrorKind.UNSUPPORTED else f"its clock was not set: {error}"


async def _try_once(live: LiveGuest, clock: Clock) -> HypervisorError | None:
    try:
        await live.hypervisor.set_time(live.uuid, clock().at / 1e9)
    except HypervisorError as error:
        return error
    return None
