"""What is asked of the bus itself on a connection of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from .bus_calls import BusError, Call, Calls
from .bus_connection import Connection
from .bus_messages import (
    DRIVER,
    DRIVER_PATH,
    METHOD_CALL,
    NO_AUTO_START,
    NO_REPLY_EXPECTED,
    close_all,
)
from .bus_values import unwrap
from .bus_writer import QueueFull
from .dbus_library import Outgoing

#: Seconds: the bus answers at once, or not at all.
LIMIT = 5.0


class Driver:
    """The bus, as something that can be asked."""

    def __init__(self, connection: Connection, calls: Calls) -> None:
        """calls: has what the connection reads."""
        self._connection = connection
        self._calls = calls

    async def ask(
        self,
        member: str,
        signature: str,
        body: Sequence[Any],
        returns: str,
        *,
        interface: str = DRIVER,
    ) -> list[Any]:
        """What it returns, variants unwrapped; BusError."""
        serial = self._connection.next_serial()
        call = Call(member, DRIVER, returns)
        try:
            async with asyncio.timeout(LIMIT):
                with self._calls.under_way(serial, call) as answer:
                    message = _message(member, signature, body)._replace(interface=interface)
                    self._connection.send(message, serial)
                    reply = await answer
        except (TimeoutError, QueueFull) as error:
            why = str(error) or f"no answer within {LIMIT:g} s"
            raise BusError("", f"{member}: {why}") from error
        close_all(reply.fds)
        values: list[Any] = unwrap(reply.body)
        return values

    def tell(self, member: str, signature: str, body: Sequence[Any]) -> None:
        """The same, for nobody to be told what came of it; QueueFull."""
        message = _message(member, signature, body)
        self._connection.send(message._replace(flags=NO_AUTO_START | NO_REPLY_EXPECTED))


def _message(member: str, signature: str, body: Sequence[Any]) -> Outgoing:
    what = (DRIVER, DRIVER_PATH, DRIVER, member, signature, body)
    return Outgoing(METHOD_CALL, *what, flags=NO_AUTO_START)
