"""Before the first step down: the guest is awake, and no job of somebody else in the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from ..config.settings import Shutdown
from ..decisions.budget import ENDING
from ..model.event import Job, JobKind
from ..model.guest import GuestFacts, State
from ..model.ports import CALL_LIMIT, HypervisorError, within
from ..model.units import show_duration
from .live_guest import LiveGuest, is_down
from .steps import StepProgress

JOB_POLL = 1.0
WAKE_LIMIT = 10.0
SAVE_ENDING = 5.0
#: A guest that is being started has run nothing yet; a resume leaves its save until it has.
START_ENDING = 10.0
_GOES_ON = "goes on though it was aborted after"
_NO_TIME = "no time to wait for its other job"


class Readiness(NamedTuple):
    """What was done, for the trail.

    blocked: a job may go on beside which no save is possible.  starting: libvirt is not through
    with starting it, and nothing but its plug can be had.
    """

    remark: str
    blocked: bool = False
    starting: bool = False


#: Jobs of one guest that are under way now.
Look = Callable[[], Awaitable[tuple[Job, ...]]]


def longest_wait(policy: Shutdown) -> float:
    """The most seconds that `make_ready` takes: a block job can come to light after a backup."""
    jobs = max(policy.save_timeout, policy.job_timeout) + policy.job_timeout
    return jobs + 4 * CALL_LIMIT + 2 * ENDING + WAKE_LIMIT + START_ENDING


async def make_ready(
    live: LiveGuest, policy: Shutdown, limit: float, progress: StepProgress, *, saves: bool
) -> Readiness:
    """Wake a guest that is suspended to RAM, and wait for or abort its other jobs.

    saves: whether it is to be saved; block jobs are in the way of nothing else.

    Never fails: what stands in the way, also when the limit cuts this short, shows in the steps
    themselves.
    """
    if not await _is_started(live, limit):
        return Readiness("libvirt is still starting it", starting=True)
    remarks: list[str] = []
    end = asyncio.get_running_loop().time() + limit
    try:
        async with asyncio.timeout(limit):
            remarks.append(await _wake(live))
            # libvirt saves no guest that has either ("domain has active block job").
            block_jobs = [partial(_block_jobs, live)] if saves else []
            for look in (partial(_jobs, live), *block_jobs):
                remarks.append(await _end_jobs(live, look, policy, end, progress))
                if _GOES_ON in remarks[-1]:
                    break  # whoever looks further waits for that job
    except HypervisorError:
        pass  # a QEMU that does not answer is not asked once more
    except TimeoutError:
        remarks.append(_NO_TIME)
    said = "; ".join(remark for remark in remarks if remark)
    return Readiness(said, _GOES_ON in said or _NO_TIME in said)


async def _is_started(live: LiveGuest, limit: float) -> bool:
    """Whether libvirt is through with starting it, or soon is: some starts never end."""
    if not live.facts.starting:
        return True
    with contextlib.suppress(HypervisorError):
        await live.wait_until(_has_started, min(START_ENDING, limit))
    return not live.facts.starting


def _has_started(facts: GuestFacts | None) -> bool:
    return facts is None or not facts.starting


async def _wake(live: LiveGuest) -> str:
    if live.facts.state is not State.PMSUSPENDED:
        return ""
    try:
        await within(CALL_LIMIT, live.hypervisor.wake(live.uuid))
        awake = await live.wait_until(_is_awake, WAKE_LIMIT)
    except HypervisorError as error:
        return f"it was suspended to RAM and could not be woken: {error}"
    return "woken from suspend to RAM" if awake else "it did not wake from suspend to RAM"


def _is_awake(facts: GuestFacts | None) -> bool:
    return facts is None or facts.state is not State.PMSUSPENDED


async def _jobs(live: LiveGuest) -> tuple[Job, ...]:
    job = await within(CALL_LIMIT, live.hypervisor.job(live.uuid))
    return () if job is None else (job,)


async def _block_jobs(live: LiveGuest) -> tuple[Job, ...]:
    return await within(CALL_LIMIT, live.hypervisor.block_jobs(live.uuid))


async def has_block_jobs(live: LiveGuest) -> bool:
    """Whether a disk of the guest is busy, as far as that can be read."""
    return bool(await _seen(partial(_block_jobs, live)))


async def _seen(look: Look) -> tuple[Job, ...]:
    """None as well when that cannot be read."""
    try:
        return await look()
    except HypervisorError:
        return ()


async def _end_jobs(
    live: LiveGuest, look: Look, policy: Shutdown, end: float, progress: StepProgress
) -> str:
    """Wait for jobs, at most job-timeout (a save: save-timeout), then abort them.

    HypervisorError when it cannot be told whether there is any.
    """
    jobs = await look()
    if not jobs:
        return ""
    saving = any(job.kind is JobKind.SAVE for job in jobs)
    limit = policy.save_timeout if saving else policy.job_timeout
    left = end - asyncio.get_running_loop().time()
    limit = min(limit, left / 2)  # the rest is for aborting them
    if await _are_over(look, limit, progress):
        if saving:  # libvirt still has to end QEMU
            await live.wait_until(is_down, SAVE_ENDING)
        return _each(jobs, "waited for its {} to end")
    await _abort(live, await _seen(look))
    if await _are_over(look, ENDING, progress):
        return _each(jobs, f"its {{}} was aborted after {show_duration(limit)}")
    return _each(jobs, f"its {{}} {_GOES_ON} {show_duration(limit)}")


def _each(jobs: tuple[Job, ...], text: str) -> str:
    return "; ".join(text.format(job) for job in jobs)


async def _are_over(look: Look, limit: float, progress: StepProgress) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while jobs := await _seen(look):
        if loop.time() >= end:
            return False
        progress(jobs[0].fraction, f"waits for its {jobs[0]}")
        await asyncio.sleep(JOB_POLL)
    return True


async def _abort(live: LiveGuest, jobs: tuple[Job, ...]) -> None:
    hypervisor, uuid = live.hypervisor, live.uuid
    for job in jobs:
        abort = hypervisor.abort_block_job(uuid, job.disk) if job.disk else None
        with contextlib.suppress(HypervisorError):
            await within(CALL_LIMIT, abort or hypervisor.abort_job(uuid))
