"""Replies, errors and signals on their way to the bus, and what is done when it takes none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from .bus_connection import Connection
from .bus_errors import CallError, Standard
from .bus_fitting import clean, fitted, fitted_body, is_error_name
from .bus_interface import Interface, Method, Signal, signature_of
from .bus_messages import ERROR, METHOD_RETURN, NO_REPLY_EXPECTED, SIGNAL, Header
from .bus_unread import FOR_ERRORS, Unread
from .bus_writer import QueueFull
from .dbus_library import Outgoing, encode

#: Bytes that wait for the bus while signals are still sent.
MOST_FOR_SIGNALS = 1 << 20
#: Seconds for which a bus that takes nothing is waited for.  dbus-daemon reads nothing from who has
#: 127 MiB of messages with clients that do not read; a new connection begins at none.
PATIENCE = 30.0
#: Bytes of an answer that is sent to who has not read many as well.
_SHORT = 16 << 10


class Outbox:
    """What a connection sends to those who call and those who have subscribed.

    Once the connection has ended all of it is for nobody.
    """

    def __init__(
        self, connection: Connection, unread: Unread, on_stuck: Callable[[str], None]
    ) -> None:
        """on_stuck: told when the bus has taken nothing for long."""
        self._connection = connection
        self._unread = unread
        self._on_stuck = on_stuck
        self._timer: asyncio.TimerHandle | None = None

    def reply(self, call: Header, method: Method, values: Sequence[Any]) -> None:
        """Answer a call; ValueError where the values are not those of the method's table.

        An answer that is too long, or for which there is no room, is an error in its place.
        """
        body = fitted_body(method.returns, values)
        message = Outgoing(METHOD_RETURN, call.sender, reply_serial=call.serial)
        self._answer(call, message._replace(signature=signature_of(method.returns), body=body))

    def error(self, call: Header, error: CallError) -> None:
        """Answer a call with an error, where there is room for it."""
        name = error.name if is_error_name(error.name) else str(Standard.FAILED)
        message = Outgoing(ERROR, call.sender, signature="s", body=[clean(error.text)])
        self._answer(call, message._replace(reply_serial=call.serial, error_name=name))

    def signal(
        self,
        to: Sequence[str],
        path: str,
        interface: Interface,
        signal: Signal,
        values: Sequence[Any],
    ) -> None:
        """Tell each of these; ValueError where the values are not those of the signal's table.

        Dropped where much waits already, and for who has not read many.
        """
        body = fitted_body(signal.arguments, values)
        what = (
            fitted("o", path),
            interface.name,
            signal.name,
            signature_of(signal.arguments),
            body,
        )
        for name in filter(self._unread.may_have_signal, to):
            if self._connection.waiting > MOST_FOR_SIGNALS:
                return
            self._send(Outgoing(SIGNAL, name, *what))

    def close(self) -> None:
        """Nothing more is sent."""
        self._unread.close()
        if self._timer is not None:
            self._timer.cancel()

    def _answer(self, call: Header, message: Outgoing) -> None:
        if call.flags & NO_REPLY_EXPECTED:
            return
        if not self._send(message) and message.kind != ERROR:
            text = "the answer is too long, or too many answers wait to be read"
            self.error(call, CallError(Standard.LIMITS_EXCEEDED, text))

    def _send(self, message: Outgoing) -> bool:
        """Whether there was room for it."""
        data = encode(message, self._connection.next_serial())
        if message.kind != SIGNAL:
            extra = FOR_ERRORS if len(data) <= _SHORT else 0
            if not self._unread.may_have(message.destination, extra):
                return False
        try:
            self._connection.send_encoded(data)
            self._unread.sent(message.destination, len(data))
        except QueueFull:
            return False
        finally:
            if self._connection.waiting and self._timer is None:
                self._watch()
        return True

    def _watch(self) -> None:
        """Look after a while whether the bus has taken anything; no longer once it has all."""
        loop, taken = asyncio.get_running_loop(), self._connection.taken
        self._timer = loop.call_later(PATIENCE, self._look, taken)

    def _look(self, taken: int) -> None:
        self._timer = None
        if not self._connection.waiting:
            return
        if self._connection.taken == taken:
            self._on_stuck(f"the bus has taken nothing for {PATIENCE:g} s")
        else:
            self._watch()
