"""The system's D-Bus, as a client: calls that end, answers and signals from whom they should be.

Only a reply from the owner of the name that was called is an answer, and only what is waited for is
read: any local user may send us what they like, and dbus-broker passes on replies that nobody asked
for as well.

No call made here starts a service unless its caller says so: a D-Bus call to a logind that has been
stopped would start it anew, which cancels `systemctl start poweroff.target` altogether (systemd 252
to 257).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from .bus_calls import LONGEST_ANSWER, BusError, Call, Calls, check_form
from .bus_connection import Connection, Receiver
from .bus_messages import (
    ALLOW_INTERACTIVE_AUTHORIZATION,
    DRIVER,
    DRIVER_PATH,
    ERROR,
    METHOD_CALL,
    METHOD_RETURN,
    NO_AUTO_START,
    SIGNAL,
    Header,
    Message,
    close_all,
)
from .bus_signals import Handler, Rule, Signals
from .bus_values import signature_of, unwrap
from .bus_writer import QueueFull
from .dbus_library import Outgoing

__all__ = ["DRIVER", "DRIVER_PATH", "BusError", "Rule", "SystemBus", "system_address"]

NO_OWNER = "org.freedesktop.DBus.Error.NameHasNoOwner"
_PROPERTIES = "org.freedesktop.DBus.Properties"
#: Seconds for a connection to be made, and for a call to be answered.
CONNECT_LIMIT, CALL_LIMIT = 5.0, 5.0
#: Seconds for a service that the bus starts; dbus-daemon gives it as many.
START_LIMIT = 25.0


def system_address() -> str:
    """Where the system's bus listens."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"


class _Request(NamedTuple):
    """What is called, with what, and what may come of it."""

    destination: str
    path: str
    interface: str
    member: str
    signature: str
    body: Sequence[Any]
    starts: bool = False
    flags: int = NO_AUTO_START
    longest: int = LONGEST_ANSWER


class SystemBus:
    """One connection to the bus; once it is lost it stays lost.

    In one piece: calls, properties and signals share the one connection, and what ends it.
    """

    def __init__(self) -> None:
        """Use `connect`."""
        self._calls = Calls()
        self._signals = Signals()
        receiver = Receiver(self._wants, self._incoming, self._calls.fail, self.close)
        self._connection = Connection(receiver)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, address: str = "", *, negotiate_unix_fd: bool = False, timeout: float = CONNECT_LIMIT
    ) -> Self:
        """A connection to the system's bus, or to an address; BusError.

        negotiate_unix_fd: for `call_for_fd`.  A connection that serves others must not have it:
        file descriptors sent with a call that it does not know would fill its table.
        """
        address = address or system_address()
        bus = cls()
        try:
            async with asyncio.timeout(timeout):
                await bus._connection.connect(address, negotiate_unix_fd=negotiate_unix_fd)
        except (OSError, EOFError, ValueError) as error:
            bus.close()
            late = isinstance(error, TimeoutError)
            why = f"no answer within {timeout:g} s" if late else str(error) or repr(error)
            raise BusError("", f"cannot connect to the bus at {address}: {why}") from error
        except BaseException:
            bus.close()
            raise
        return bus

    # -- calls -----------------------------------------------------------------------------------

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        *,
        returns: str,
        timeout: float = CALL_LIMIT,
        starts: bool = False,
        interactive: bool = False,
        longest: int = LONGEST_ANSWER,
    ) -> list[Any]:
        """What a method returns, its variants unwrapped; BusError.

        returns: the signature of that; an answer with another one is an error.  timeout: in
        seconds, with all that the call needs.  starts: whether the bus may start who is called.
        interactive: whether polkit may ask the user, which can take minutes.  longest: bytes of the
        answer; a longer one is an error, and not read.
        """
        flags = NO_AUTO_START | (ALLOW_INTERACTIVE_AUTHORIZATION if interactive else 0)
        what = (destination, path, interface, member, signature, body)
        call = _Request(*what, starts, flags, longest)
        reply = await self._request(call, returns, timeout)
        close_all(reply.fds)
        values: list[Any] = unwrap(reply.body)
        return values

    async def call_for_fd(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        *,
        timeout: float = CALL_LIMIT,
    ) -> int:
        """The file descriptor that a method returns; BusError.

        It is the caller's to close, and is not inherited by programs that are started.
        """
        call = _Request(destination, path, interface, member, signature, body)
        reply = await self._request(call, "h", timeout)
        fds = list(reply.fds)
        # The body holds an index into the descriptors that came with the message.
        index = reply.body[0]
        if not 0 <= index < len(fds):
            close_all(fds)
            raise BusError("", f"{member} returned no file descriptor")
        fd = fds.pop(index)
        close_all(fds)
        os.set_inheritable(fd, False)
        return fd

    async def get_property(
        self,
        destination: str,
        path: str,
        interface: str,
        name: str,
        signature: str,
        *,
        timeout: float = CALL_LIMIT,
    ) -> Any:
        """A property's value, which must be of this signature; BusError."""
        arguments = (interface, name)
        call = _Request(destination, path, _PROPERTIES, "Get", "ss", arguments)
        reply = await self._request(call, "v", timeout)
        close_all(reply.fds)
        check_form(name, signature_of(reply.body[0]), signature)
        return unwrap(reply.body[0])

    async def _request(self, request: _Request, returns: str, timeout: float) -> Message:
        """The reply, which has that signature."""
        if self.closed:
            raise BusError("", "the connection to the bus has ended")
        try:
            async with asyncio.timeout(timeout):
                callee = await self._callee(request.destination, starts=request.starts)
                return await self._answer(request, callee, returns)
        except TimeoutError:
            who = request.destination
            text = f"{request.member}: no answer from {who} in {timeout:g} s"
            raise BusError("", text) from None

    async def _callee(self, name: str, *, starts: bool) -> str:
        """The unique name of who is called: nobody else may answer."""
        if name == DRIVER or name.startswith(":"):
            return name
        owner = self._signals.owner(name)
        if owner is None:
            owner = await self._name_owner(name, may_be_none=starts)
        if not owner and starts:
            start = ("StartServiceByName", "su", (name, 0), "u")
            await self._ask_driver(*start, timeout=START_LIMIT)
            owner = await self._name_owner(name)
        if not owner:
            raise BusError(NO_OWNER, f"{name} is not on the bus")
        return owner

    async def _answer(self, request: _Request, callee: str, returns: str) -> Message:
        """What that one replies."""
        serial = self._connection.next_serial()
        message = Outgoing(METHOD_CALL, callee, *request[1:6], flags=request.flags)
        call = Call(request.member, callee, returns, request.longest)
        with self._calls.under_way(serial, call) as answer:
            try:
                self._connection.send(message, serial)
            except QueueFull as error:
                raise BusError("", f"{request.member}: {error}") from error
            return await answer

    # -- signals ---------------------------------------------------------------------------------

    async def subscribe(self, rule: Rule, handler: Handler) -> None:
        """Have the bodies of these signals handed over, variants unwrapped; BusError."""
        self._signals.subscribe(rule, handler)
        await self._add_match(rule)
        if rule.sender != DRIVER:
            await self._track(rule.sender)

    async def _track(self, name: str) -> None:
        """Know who owns a name, from now on."""
        await self._add_match(Rule(DRIVER, DRIVER, "NameOwnerChanged", "sss", arg0=name))
        self._signals.found_owner(name, await self._name_owner(name, may_be_none=True))

    async def _add_match(self, rule: Rule) -> None:
        await self._ask_driver("AddMatch", "s", (str(rule),), "")

    async def _name_owner(self, name: str, *, may_be_none: bool = False) -> str:
        """BusError, such as NO_OWNER; with `may_be_none` what the bus refuses is an empty name."""
        try:
            (owner,) = await self._ask_driver("GetNameOwner", "s", (name,), "s")
        except BusError as error:
            if not may_be_none or not error.name:
                raise
            owner = ""
        return str(owner)

    async def _ask_driver(
        self,
        member: str,
        signature: str,
        body: Sequence[Any],
        returns: str,
        *,
        timeout: float = CALL_LIMIT,
    ) -> list[Any]:
        call = (DRIVER, DRIVER_PATH, DRIVER, member, signature, body)
        return await self.call(*call, returns=returns, timeout=timeout)

    # -- what comes in ---------------------------------------------------------------------------

    def _wants(self, header: Header) -> bool:
        """Whether a message is to be read.  Nobody has anything to call here."""
        if header.kind == SIGNAL:
            return self._signals.wants(header)
        return header.kind in (METHOD_RETURN, ERROR) and self._calls.wants(header)

    def _incoming(self, message: Message) -> None:
        if message.header.kind == SIGNAL:
            close_all(message.fds)
            self._signals.dispatch(message)
        else:
            self._calls.answer(message)

    # -- the end ---------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed.done()

    async def wait_closed(self) -> None:
        """Return when the connection has ended, whoever ended it."""
        await asyncio.shield(self._closed)

    def close(self) -> None:
        """End the connection; calls under way fail.  May be called again."""
        if self.closed:
            return
        self._closed.set_result(None)
        self._connection.close()
        self._calls.end()
