"""Starting one guest, or resuming it: again if need be, and looking whether it came up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from ..model.guest import GuestFacts
from ..model.plan import StepPlan
from ..model.ports import ErrorKind, HypervisorError, within
from ..model.result import StepEnd
from .live_guest import LiveGuest

#: How libvirt and QEMU say that it is the image that they cannot use, now or later.
_REFUSALS = (
    "save image",
    "image magic",
    "image version",
    "load of migration failed",
    "error while loading state",
    "failed to read qemu header",
)
#: How they say that this host has not any more what the guest was saved with: 9.0, 11.3 and 12.8.
_NOT_ON_THIS_HOST = (
    "cannot check qemu binary",
    "does not support machine type",
    "cpu is incompatible with host cpu",
    "guest cpu doesn't match specification",
    "host cpu does not provide required features",
)


def is_refused_image(error: HypervisorError) -> bool:
    """Whether a resume failed because of the save itself, and not of what else was missing."""
    return any(words in str(error).lower() for words in _REFUSALS)


def is_not_for_this_host(error: HypervisorError) -> bool:
    """Whether a resume failed because of what was changed on the host since the save."""
    return any(words in str(error).lower() for words in _NOT_ON_THIS_HOST)


class Start(NamedTuple):
    """How it went; is_down: whether libvirt says, after all, that the guest is down."""

    end: StepEnd
    reason: str
    error: HypervisorError | None
    is_down: bool

    @property
    def went_down(self) -> bool:
        """Whether it came up, and was down before anybody had seen it up."""
        return self.end is StepEnd.FAILED and self.error is None and self.is_down

    @property
    def refused_image(self) -> bool:
        """Whether it is the save that libvirt cannot use."""
        return self.error is not None and is_refused_image(self.error)

    @property
    def refused_host(self) -> bool:
        """Whether it is this host that cannot be what it was when the guest was saved."""
        return self.error is not None and is_not_for_this_host(self.error)


async def start(
    live: LiveGuest,
    planned: StepPlan,
    retries: int,
    pause: Callable[[], Awaitable[bool]],
    *,
    boot_anew: bool = False,
    bypass_cache: bool = False,
) -> Start:
    """Start the guest; a start that failed is tried again, so many times.

    pause: before that; whether it is still to be tried.
    boot_anew: never from a save, whatever libvirt finds.  bypass_cache: see Hypervisor.
    """
    error: HypervisorError | None = None
    remark = ""
    facts: GuestFacts | None = None
    for attempt in range(retries + 1):
        if attempt and not await pause():
            break
        end = asyncio.get_running_loop().time() + planned.timeout
        call = live.hypervisor.start(live.uuid, boot_anew=boot_anew, bypass_cache=bypass_cache)
        error, remark = await _try_once(call, planned.timeout)
        facts = await _once_started(live, end)
        if facts is not None and facts.started:
            text = f"up all the same: {error}" if error else remark
            return Start(StepEnd.DONE, text, None, False)
        if error is not None and (is_refused_image(error) or is_not_for_this_host(error)):
            break
        if error is not None and error.kind is ErrorKind.NO_ANSWER:
            # libvirt may still be at it: a second start would only be in its way.
            return Start(StepEnd.TIMED_OUT, f"{error}; it may still come up", error, _down(facts))
    return Start(StepEnd.FAILED, f"{error or 'it went down again at once'}", error, _down(facts))


async def _try_once(
    call: Coroutine[Any, Any, str], timeout: float
) -> tuple[HypervisorError | None, str]:
    try:
        return None, await within(timeout, call)
    except HypervisorError as error:
        return error, ""


async def _once_started(live: LiveGuest, end: float) -> GuestFacts | None:
    """The guest, once libvirt is not at it any more: until then it shows it as paused.

    None where that cannot be read, or where it exists no more.
    """
    try:
        facts = await live.observe()
        if facts is not None and facts.starting:
            await live.wait_until(_is_not_starting, end - asyncio.get_running_loop().time())
            facts = await live.observe()
    except HypervisorError:
        return None
    return facts


def _is_not_starting(facts: GuestFacts | None) -> bool:
    return facts is None or not facts.starting


def _down(facts: GuestFacts | None) -> bool:
    return facts is not None and facts.down
