"""A guest that was paused when it was saved is paused when it is back: why, and for how long."""

from __future__ import annotations

from ..model.guest import GuestFacts, State
from ..model.ports import CALL_LIMIT, HypervisorError, within
from .live_guest import LiveGuest
from .run import Run

#: libvirt's word for a guest whose disk failed it (virtual disk full, storage gone).
IO_ERROR = "I/O error"
#: Until a disk that still fails has failed again.
PROBATION = 3.0


async def see_to_pause(run: Run, live: LiveGuest, was_paused: str) -> None:
    """Say that a resumed guest is paused, and let it run where an I/O error had paused it.

    was_paused: libvirt's word for why it was when it was saved; empty where that is not known.
    """
    if live.facts.state is not State.PAUSED:
        return
    if was_paused == IO_ERROR:
        remark = await _try_to_run(live)
    elif was_paused:
        remark = f"it is paused, as when it was saved ({was_paused})"
    else:
        remark = "it is paused, as when it was saved"
    await run.remark(live.facts, remark)


async def _try_to_run(live: LiveGuest) -> str:
    was = "it was paused by an I/O error when it was saved"
    try:
        await within(CALL_LIMIT, live.hypervisor.unpause(live.uuid))
        if await live.wait_until(_is_not_running, PROBATION):
            return f"{was}, and is again: mend its storage, then `virsh resume`"
    except HypervisorError as error:
        return f"{was}, and cannot be let run: {error}"
    return f"{was}: it runs again"


def _is_not_running(facts: GuestFacts | None) -> bool:
    return facts is None or facts.state is not State.RUNNING
