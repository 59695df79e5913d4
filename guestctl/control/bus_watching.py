"""What happens to guests, as the service tells it, for as long as somebody reads it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

from ..host.bus import BusError, Rule
from .happened import Line
from .interface import MANAGER, NAME, ROOT
from .service_errors import is_lost
from .service_on_bus import ServiceOnBus, ask_service, reached, readable
from .shapes import check_line

#: Seconds between two tries of coming to the service again.
PAUSE = 2.0


def watch(show: Callable[[Line], bool], complain: Callable[[str], None]) -> None:
    """Tell of each thing, until nobody reads on or Ctrl-C.  RequestError where that cannot begin.

    show: answers whether anybody reads on.
    """
    watcher = _Watcher(show, complain)
    with contextlib.suppress(asyncio.CancelledError):
        ask_service(watcher.watch)


class _Watcher:
    def __init__(self, show: Callable[[Line], bool], complain: Callable[[str], None]) -> None:
        self._show = show
        self._complain = complain
        #: What was said last of a connection that could not be made.
        self._said = ""

    async def watch(self, first: ServiceOnBus) -> None:
        """On this connection, and once it is lost on others."""
        reads_on = await self._until_lost(first)
        while reads_on:
            await asyncio.sleep(PAUSE)
            reads_on = await self._again()

    async def _again(self) -> bool:
        try:
            async with reached() as service:
                return await self._until_lost(service)
        except BusError as error:
            if not is_lost(error):
                raise
            self._say(str(error))
            return True

    async def _until_lost(self, service: ServiceOnBus) -> bool:
        """Whether anybody reads on.  BusError where it was not there."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        async with service.heard(lambda: lines.put_nowait(None)):
            rule = Rule(NAME, MANAGER.name, "Happened", "s", ROOT)
            await service.bus.subscribe(rule, lambda body: lines.put_nowait(body[0]))
            await service.ask("Subscribe")
            self._complain("connected to the service")
            while (text := await lines.get()) is not None:
                with readable():
                    line = dict(json.loads(text))
                    check_line(line)
                if not self._show(line):
                    return False
        self._said = ""
        self._say("the connection to the service broke")
        return True

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._complain(f"{text}; trying again")
