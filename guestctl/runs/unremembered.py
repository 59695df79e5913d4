"""Whether a run takes guests down though the ledger cannot be written."""

from __future__ import annotations

from ..model.result import Trigger
from .run import Run


async def leaves_up(run: Run) -> bool:
    """Whether the run leaves those up whom nobody would know to have been taken down by it.

    A run for the host's stop never does: guests would be lost for want of a note.  Nor does one
    whose ledger can be read as little: nothing speaks for anybody having turned a guest off then,
    and what a stalled disk was given is written once it answers.
    """
    if run.sheds is not None:
        return True
    if run.trigger is not Trigger.COMMAND or run.without_ledger:
        return False
    is_read = await run.context.ledger(lambda ledger: ledger.remembers, False)
    return is_read and not await run.context.host_stops()
