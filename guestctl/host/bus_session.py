"""One connection to the bus with our name on it, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from .bus_answering import Answering
from .bus_callers import Callers
from .bus_calls import BusError, Calls
from .bus_connection import Connection, Receiver
from .bus_driver import Driver
from .bus_errors import Standard
from .bus_interface import Interface, Signal
from .bus_messages import (
    DRIVER,
    ERROR,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
    Header,
    Message,
    close_all,
)
from .bus_objects import Exported
from .bus_outbox import Outbox
from .bus_subscribers import Subscribers
from .bus_trouble import OnceInAWhile
from .bus_unread import Unread

#: Seconds for a connection to be made.
CONNECT_LIMIT = 5.0
#: Flags of RequestName, and answers that mean that the name is ours (D-Bus specification, "Message
#: Bus Messages").
_ALLOW_REPLACEMENT, _REPLACE_EXISTING, _DO_NOT_QUEUE = 1, 2, 4
_IS_OURS = (1, 4)
#: Bytes of a message that says whose a name is; a name has 255 at most.
_LONGEST_CHANGE = 1024


class Session:
    """A connection and what came over it; once it has ended it stays so."""

    def __init__(self, exported: Exported, trouble: OnceInAWhile) -> None:
        """Use `open`."""
        self._calls = Calls()
        receiver = Receiver(self._wants, self._take, self._unreadable, self._lost)
        self._connection = Connection(receiver)
        driver = self._driver = Driver(self._connection, self._calls)
        callers = Callers(driver)
        unread = Unread(driver, callers.uid_of)
        self._outbox = Outbox(self._connection, unread, self._stuck)
        self._answering = Answering(exported, callers, unread, self._outbox, trouble)
        self.subscribers = Subscribers(driver)
        #: Whether it was ended because the bus took nothing.
        self.was_stuck = False
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self, address: str, name: str, *, replaces: bool) -> None:
        """Come to the bus and have the name; BusError.

        replaces: whether it is taken from an earlier session, which the bus may not have seen end:
        a connection from which dbus-daemon reads nothing is one whose end it does not see.  Only
        who may own the name by the bus's policy can take it.
        """
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                # Without descriptors: those sent with a call would be kept open for its body.
                await self._connection.connect(address, negotiate_unix_fd=False)
        except (OSError, EOFError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            why = f"no answer within {CONNECT_LIMIT:g} s" if late else str(error) or repr(error)
            raise BusError("", f"cannot connect to the bus at {address}: {why}") from error
        await self._take_name(name, _REPLACE_EXISTING if replaces else 0)

    async def wait_ended(self) -> str:
        """Why it has ended, once it has."""
        return await asyncio.shield(self._end)

    def close(self, why: str = "it was closed") -> None:
        """End it: whoever only reads is cancelled.  May be called again."""
        if self._end.done():
            return
        self._end.set_result(why)
        self._connection.close()
        self._calls.end()
        self._outbox.close()
        self._answering.end()

    def emit(self, path: str, interface: Interface, signal: Signal, values: Sequence[Any]) -> None:
        """Tell the subscribers; ValueError where the values are not of the signal's table."""
        self._outbox.signal(list(self.subscribers), path, interface, signal, values)

    async def _take_name(self, name: str, flags: int) -> None:
        flags |= _ALLOW_REPLACEMENT | _DO_NOT_QUEUE
        try:
            (answer,) = await self._driver.ask("RequestName", "su", (name, flags), "u")
        except BusError as error:
            raise _refusal(name, error) from error
        if answer not in _IS_OURS:
            text = f"another program has the name {name} on the bus (`busctl status {name}` says"
            raise BusError("", f"{text} which): end it, and the name is taken within a minute")

    # -- what comes in ---------------------------------------------------------------------------

    def _wants(self, header: Header) -> bool:
        if header.kind == METHOD_CALL:
            return self._answering.accepts(header)
        if header.kind == SIGNAL:
            return header.sender == DRIVER and _is_of_names(header)
        return header.kind in (METHOD_RETURN, ERROR) and self._calls.wants(header)

    def _take(self, message: Message) -> None:
        if message.header.kind == METHOD_CALL:
            self._answering.begin(message)
        elif message.header.kind == SIGNAL:
            close_all(message.fds)
            self._name_changed(message)
        else:
            self._calls.answer(message)

    def _name_changed(self, message: Message) -> None:
        if message.header.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self.subscribers.remove(name)
                self._answering.left(name)
        else:
            self.close("another program has taken the name")

    def _unreadable(self, header: Header, why: str) -> None:
        if header.kind == METHOD_CALL:
            self._answering.unreadable(header, why)
        else:
            self._calls.fail(header, why)

    def _lost(self) -> None:
        self.close("the bus ended the connection")

    def _stuck(self, why: str) -> None:
        self.was_stuck = True
        self.close(why)


def _is_of_names(header: Header) -> bool:
    """Whether a signal of the bus says that a caller has left, or that our name is lost."""
    what = (header.interface, header.member, header.signature)
    changes = ((DRIVER, "NameOwnerChanged", "sss"), (DRIVER, "NameLost", "s"))
    return what in changes and header.size <= _LONGEST_CHANGE


def _refusal(name: str, error: BusError) -> BusError:
    if error.name != Standard.ACCESS_DENIED:
        return error
    text = f"the bus does not let this user have the name {name}: is its policy installed"
    return BusError(error.name, f"{text} (dbus-1/system.d/{name}.conf), and has the bus read it?")
