"""The three steps down: managed save, shutdown, poweroff.

Each function tries its step on one guest within its limit.  It returns a remark
for the trail, and raises StepFailed or HypervisorError when the step did not work; whether
the guest is down is for the caller to read, since libvirt's answer and the guest's state
can part (an abort that lost its race, a request that outlived its client).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from ..config.settings import Shutdown
from ..model.event import Job, JobKind
from ..model.guest import State
from ..model.options import Method
from ..model.ports import CALL_LIMIT, ErrorKind, HypervisorError, within
from ..model.result import StepEnd
from ..model.units import show_limit
from .live_guest import LiveGuest

#: A guest that is still booting misses a request: it is repeated this often.
REQUEST_INTERVAL = 5.0
#: A request that has no answer by then is left to itself, and the next method follows: an agent
#: that takes one and does nothing keeps libvirt waiting for a minute.
ANSWER_LIMIT = 3.0
#: Asking for a save's statistics takes one of libvirtd's workers, and waits while QEMU is being
#: ended: twelve guests asked twice a second made their saves a fifth slower (bench/preserve.py).
PROGRESS_INTERVAL, MOST_POLLS = 1.0, 2
ABORT_INTERVAL = 1.0
#: It delays the poweroff of a guest that does not answer.
PUT_BACK = 5.0

_NO_ANSWER_YET = HypervisorError(ErrorKind.NO_ANSWER, "no answer yet")


class StepProgress:
    """Shows how far a guest's step is.

    polls is shared by all guests of a run; wanted tells whether anybody looks.
    """

    def __init__(
        self,
        show: Callable[[float | None, str], None],
        polls: asyncio.Semaphore,
        *,
        wanted: bool,
    ) -> None:
        self.polls = polls
        self.wanted = wanted
        self._show = show

    def __call__(self, fraction: float | None, note: str) -> None:
        """From 0 to 1, or None where that is not known; note says what is waited for."""
        self._show(fraction, note)


class Limit(NamedTuple):
    """Seconds for a step, and for ending it properly when it has not worked by then."""

    step: float
    ending: float


class StepFailed(Exception):
    """A step did not work; the text says why."""

    def __init__(self, end: StepEnd, reason: str) -> None:
        self.end = end
        super().__init__(reason)


async def job_of(live: LiveGuest) -> Job | None:
    """The guest's job; None as well when that cannot be read."""
    try:
        return await within(CALL_LIMIT, live.hypervisor.job(live.uuid))
    except HypervisorError:
        return None


async def save(live: LiveGuest, policy: Shutdown, limit: Limit, progress: StepProgress) -> str:
    """Managed save; aborted when the limit comes or the run is cancelled."""
    call = asyncio.ensure_future(
        live.hypervisor.save(
            live.uuid, bypass_cache=policy.bypass_cache, runs_again=live.runs_again
        )
    )
    follower = asyncio.create_task(_follow_save(live, progress))
    try:
        done, _ = await asyncio.wait({call}, timeout=limit.step)
        if not done:
            await _abort_save(live, call, limit.ending)
            raise StepFailed(StepEnd.TIMED_OUT, f"not saved within {show_limit(limit.step)}")
        call.result()
    except asyncio.CancelledError:
        await _abort_save(live, call, limit.ending)
        raise
    finally:
        follower.cancel()
    return ""


async def _follow_save(live: LiveGuest, progress: StepProgress) -> None:
    while progress.wanted:
        await asyncio.sleep(PROGRESS_INTERVAL)
        async with progress.polls:
            job = await job_of(live)
        if job is not None and job.kind is JobKind.SAVE:
            progress(job.fraction, "")


async def _abort_save(live: LiveGuest, call: asyncio.Future[None], limit: float) -> None:
    """Abort the job until the call returns, which it does with an error.

    Again and again: an abort that comes before libvirt has begun the job is lost.
    """
    aborting = asyncio.create_task(_keep_aborting(live))
    try:
        await asyncio.wait({call}, timeout=limit)
    finally:
        aborting.cancel()
        _let_go(live, call)


def _let_go(live: LiveGuest, call: asyncio.Future[None]) -> None:
    if call.done() and not call.cancelled():
        call.exception()  # looked at, so that asyncio does not log it
    else:
        live.save_pending = True
        call.cancel()


async def _keep_aborting(live: LiveGuest) -> None:
    while True:
        with contextlib.suppress(HypervisorError):
            await within(CALL_LIMIT, live.hypervisor.abort_job(live.uuid))
        await asyncio.sleep(ABORT_INTERVAL)


async def shutdown(live: LiveGuest, policy: Shutdown, limit: Limit, progress: StepProgress) -> str:
    """Ask the guest to shut down, again and again, until it is down."""
    end = asyncio.get_running_loop().time() + limit.step
    remarks = [await _unpause(live, min(CALL_LIMIT, limit.step))]
    remarks.append(await _keep_from_restart(live, min(CALL_LIMIT, limit.step)))
    requests = _Requests(live, policy.methods, progress)
    asking = asyncio.create_task(requests.keep_asking())
    waiting = asyncio.create_task(live.wait_down_by(end))
    try:
        await asyncio.wait({asking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            asking.result()  # it ends only by raising
        if not await waiting:
            raise StepFailed(StepEnd.TIMED_OUT, requests.summary(limit.step))
    finally:
        asking.cancel()
        waiting.cancel()
        requests.let_go()
        if live.facts.up:
            await _let_restart(live)
    told = dict.fromkeys((*remarks, requests.unpaused))
    return "; ".join(remark for remark in told if remark)


async def _keep_from_restart(live: LiveGuest, limit: float) -> str:
    """One that starts anew when it powers off never goes down; libvirt looks as it is asked."""
    if not live.facts.info.restarts:
        return ""
    try:
        await within(limit, live.hypervisor.set_restarts(live.uuid, restarts=False))
    except HypervisorError as error:
        return f"it starts anew when it powers off, and could not be kept from that: {error}"
    return "it was kept from starting anew when it powers off"


async def _let_restart(live: LiveGuest) -> None:
    """A guest that stays up is left as it was."""
    if live.facts.info.restarts:
        with contextlib.suppress(HypervisorError):
            await within(PUT_BACK, live.hypervisor.set_restarts(live.uuid, restarts=True))


async def _unpause(live: LiveGuest, limit: float) -> str:
    """A paused guest cannot react to a request: it runs again for its last moments."""
    if live.facts.state is not State.PAUSED:
        return ""
    try:
        await within(limit, live.hypervisor.unpause(live.uuid))
    except HypervisorError as error:
        return f"it was paused and could not be unpaused: {error}"
    return UNPAUSED


UNPAUSED = "it was paused, and unpaused so that it could shut down"
#: libvirt's word for a guest that a client of it, or its auto-shutdown, has paused.
PAUSED_BY_CLIENT = "user"


class _Requests:
    """Asks one guest to shut down by the methods of its policy, and counts."""

    def __init__(
        self, live: LiveGuest, methods: tuple[Method, ...], progress: StepProgress
    ) -> None:
        self._live = live
        self._methods = methods
        self._progress = progress
        self._asked: Counter[Method] = Counter()
        self._refusals: dict[Method, HypervisorError] = {}
        #: Requests that have no answer yet.
        self._calls: dict[Method, asyncio.Task[None]] = {}
        #: That it was paused meanwhile, and runs again.
        self.unpaused = ""
        self._unpausing: asyncio.Task[None] | None = None

    async def keep_asking(self) -> None:
        """Ask every few seconds; StepFailed when no method can ever work."""
        while True:
            await self._ask_once()
            await asyncio.sleep(REQUEST_INTERVAL)
            await self._see_to_pause()

    async def _see_to_pause(self) -> None:
        """libvirt's own auto-shutdown pauses everybody, and gets to each only after the other.

        A call at a time: while it saves the guest it answers none.
        """
        facts = self._live.facts
        is_paused = facts.state is State.PAUSED and facts.reason == PAUSED_BY_CLIENT
        if not (self._live.runs_again and is_paused):
            return
        if self._unpausing is None or self._unpausing.done():
            self._unpausing = asyncio.create_task(self._unpause())
        await asyncio.wait({self._unpausing}, timeout=ANSWER_LIMIT)

    async def _unpause(self) -> None:
        with contextlib.suppress(HypervisorError):
            await within(CALL_LIMIT, self._live.hypervisor.unpause(self._live.uuid))
            self.unpaused = UNPAUSED

    def let_go(self) -> None:
        """Wait no longer for answers; libvirt may still carry out what was asked."""
        for call in (*self._calls.values(), *filter(None, [self._unpausing])):
            call.cancel()

    async def _ask_once(self) -> None:
        # The one asked least first: an agent that takes every request may not act on any.
        for method in sorted(self._methods, key=lambda method: self._asked[method]):
            if await self._takes_request(method):
                return
        kinds = {error.kind for error in self._refusals.values()}
        if kinds == {ErrorKind.UNSUPPORTED} and not self._asked:
            raise StepFailed(StepEnd.FAILED, f"it cannot be asked: {self._why()}")

    async def _takes_request(self, method: Method) -> bool:
        """Not while an earlier one by this method has no answer: libvirt has them wait in line."""
        waited_for = method in self._calls
        if not waited_for:
            self._refusals.setdefault(method, _NO_ANSWER_YET)
            self._calls[method] = asyncio.create_task(self._request(method))
        call = self._calls[method]
        await asyncio.wait({call}, timeout=0 if waited_for else ANSWER_LIMIT)
        return call.done() and self._is_taken(method, self._calls.pop(method))

    async def _request(self, method: Method) -> None:
        request = self._live.hypervisor.request_shutdown(self._live.uuid, method)
        await within(CALL_LIMIT, request)

    def _is_taken(self, method: Method, call: asyncio.Task[None]) -> bool:
        error = call.exception()
        if isinstance(error, HypervisorError):
            self._refusals[method] = error
            return False
        call.result()
        self._refusals.pop(method)
        self._asked[method] += 1
        self._progress(None, f"asked {self._counts()}")
        return True

    def summary(self, limit: float) -> str:
        """What was tried, for the reason trail."""
        tried = f"asked {self._counts()}" if self._asked else f"never asked: {self._why()}"
        return f"still up after {show_limit(limit)}, {tried}"

    def _counts(self) -> str:
        return ", ".join(f"{_times(n)} by {method}" for method, n in self._asked.items())

    def _why(self) -> str:
        return "; ".join(f"{method}: {error}" for method, error in self._refusals.items())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


#: How QEMU and libvirt say that a guest cannot be saved as it is, whenever one tries.
_REFUSALS = (
    "non-migratable",
    "not migratable",
    "migration is disabled",
    "migration disabled",
    "state blocked",
    "cannot migrate",
)


def is_refusal(error: str) -> bool:
    """Whether a save failed for what the guest is, not for what happened to be the case."""
    return any(note in error.lower() for note in _REFUSALS)


async def poweroff(live: LiveGuest, policy: Shutdown, limit: Limit, progress: StepProgress) -> str:
    """Pull the plug."""
    end = asyncio.get_running_loop().time() + limit.step
    await within(limit.step, live.hypervisor.poweroff(live.uuid))
    if not await live.wait_down_by(end):
        reason = f"still up {show_limit(limit.step)} after poweroff"
        raise StepFailed(StepEnd.TIMED_OUT, reason)
    return ""
