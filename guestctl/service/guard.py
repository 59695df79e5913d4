"""What is left to do for whoever comes after the service, as the host goes down."""

from __future__ import annotations

from pathlib import Path

from ..config.config import Config
from ..ledger.ledger import Ledger, PastRun
from ..model.guest import RunResult
from ..runs.context import World, read_all
from . import settling
from .host_stop import host_stop
from .stop_timeout import Patience

WHAT = "guestctl, as the host goes down"


async def finish(world: World, config: Config, patience: Patience, state: Path) -> RunResult | None:
    """Finish what the service began, or could not begin; None when nothing is left to do.

    state: the folder of the run lock.
    """
    earlier = await world.scribe(lambda ledger: _look(ledger, world, config), None)
    if earlier and earlier.ended and await _everybody_is_down(world):
        boot = world.boot
        await world.scribe(lambda ledger: settling.host_goes_down(ledger, boot), None)
        return None
    run = await host_stop(world, config, patience)
    return await run.under_lock(state, WHAT)


def _look(ledger: Ledger, world: World, config: Config) -> PastRun | None:
    """The run of before for the host's stop; stops that nobody was there to settle are settled."""
    earlier = ledger.host_stop(world.boot)
    # Those that had settled when it began have been dealt with.
    if earlier is None:
        settling.settle_old(ledger, world.boot, config.shutdown.settle, world.clock())
    return earlier


async def _everybody_is_down(world: World) -> bool:
    seen = await read_all(world.hypervisors)
    return not seen.lost and all(guest.down for guest in seen.guests)
