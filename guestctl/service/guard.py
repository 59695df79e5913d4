"""What is left to do for whoever comes after the service, as the host goes down."""

from __future__ import annotations

from pathlib import Path

from ..config.config import Config
from ..ledger.ledger import Ledger
from ..model.history import PastRun
from ..model.result import RunResult
from ..runs.context import Context, read_all
from . import settling
from .host_stop import host_stop
from .stop_timeout import StopTimeout

WHAT = "guestctl, as the host goes down"


async def finish(
    context: Context, config: Config, patience: StopTimeout, state: Path
) -> RunResult | None:
    """Finish what the service began, or could not begin; None when nothing is left to do.

    state: the folder of the run lock.
    """
    earlier = await context.ledger(lambda ledger: _look(ledger, context, config), None)
    if earlier and earlier.ended and await _everybody_is_down(context):
        boot = context.boot
        await context.ledger(lambda ledger: settling.host_goes_down(ledger, boot), None)
        return None
    run = await host_stop(context, config, patience)
    return await run.under_lock(state, WHAT)


def _look(ledger: Ledger, context: Context, config: Config) -> PastRun | None:
    """The run of before for the host's stop; stops that nobody was there to settle are settled."""
    earlier = ledger.host_stop(context.boot)
    # Those that had settled when it began have been dealt with.
    if earlier is None:
        settling.settle_old(ledger, context.boot, config.shutdown.settle, context.clock())
    return earlier


async def _everybody_is_down(context: Context) -> bool:
    seen = await read_all(context.hypervisors)
    return not seen.lost and all(guest.down for guest in seen.guests)
