"""`shed` and `resume` in a scenario, as the command line does them."""

from __future__ import annotations

import asyncio

from guestctl.config.config import Config
from guestctl.control.requests import Down, RequestError
from guestctl.control.shedding import resume, shed
from guestctl.model.guest import GuestId
from guestctl.model.history import Note
from guestctl.model.plan import RunKind
from guestctl.model.result import RunResult
from guestctl.runs.context import Context, Inventory

from .events import Command

VERBS = ("shed", "resume")
_NOTE = Note("operator:root", "on battery")


async def shedding(
    context: Context,
    config: Config,
    command: Command,
    inventory: Inventory,
    named: frozenset[GuestId] | None,
) -> RunResult | str:
    """How it ended, or why it did not begin.  config: that of the command's profile."""
    if command.verb == "resume":
        return await resume(context, config, inventory, named, _NOTE)
    begun, profile = asyncio.get_running_loop().time(), command.profile
    why = _NOTE.text
    request = Down(RunKind.PRESERVE, (), begun, None, why, profile, sheds=True, order=command.order)
    try:
        return await shed(context, config, request, inventory, named, _NOTE)
    except RequestError as error:
        return str(error)
