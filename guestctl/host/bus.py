"""The system's D-Bus, as a client: calls that end, answers and signals from whom they should be.

Only a reply from the owner of the name that was called is an answer, and only what is waited for is
read: any local user may send us what they like, and dbus-broker passes on replies that nobody asked
for as well.

No call made here starts a service: a D-Bus call to a logind that has been stopped would start it
anew, which cancels `systemctl start poweroff.target` altogether (systemd 252 to 257).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from .bus_calls import BusError, Call, Calls, check_form
from .bus_messages import DRIVER, ERROR, METHOD_RETURN, SIGNAL, Header, close_all
from .bus_signals import Handler, Rule, Signals
from .dbus_library import Library, is_signal, method_call, signature_of, unwrap

__all__ = ["DRIVER", "DRIVER_PATH", "BusError", "Rule", "SystemBus", "system_address"]

DRIVER_PATH = "/org/freedesktop/DBus"
NO_OWNER = "org.freedesktop.DBus.Error.NameHasNoOwner"
_PROPERTIES = "org.freedesktop.DBus.Properties"
#: Seconds for a connection to be made, and for a call to be answered.
CONNECT_LIMIT, CALL_LIMIT = 5.0, 5.0


def system_address() -> str:
    """Where the system's bus listens."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"


class _Request(NamedTuple):
    """What is called, and with what."""

    destination: str
    path: str
    interface: str
    member: str
    signature: str
    body: Sequence[Any]


class SystemBus:
    """One connection to the bus; once it is lost it stays lost.

    In one piece: calls, properties and signals share the one connection, and what ends it.
    """

    def __init__(self, address: str, *, negotiate_unix_fd: bool) -> None:
        """Use `connect`."""
        self._calls = Calls()
        self._library = library = Library(
            address,
            negotiate_unix_fd=negotiate_unix_fd,
            wants=self._wants,
            on_unreadable=self._calls.fail,
        )
        self._signals = Signals()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        library.add_message_handler(self._incoming)
        self._watcher = asyncio.create_task(self._watch(), name="bus")

    @classmethod
    async def connect(
        cls, address: str = "", *, negotiate_unix_fd: bool = False, timeout: float = CONNECT_LIMIT
    ) -> Self:
        """A connection to the system's bus, or to an address; BusError.

        negotiate_unix_fd: for `call_for_fd`.  A connection that serves others must not have it:
        file descriptors sent with a call that it does not know would fill its table.
        """
        address = address or system_address()
        bus: Self | None = None
        try:
            bus = cls(address, negotiate_unix_fd=negotiate_unix_fd)
            async with asyncio.timeout(timeout):
                await bus._library.connect()
        except Exception as error:  # whatever the library raises, there is no bus
            if bus:
                bus.close()
            late = isinstance(error, TimeoutError)
            why = f"no answer within {timeout:g} s" if late else str(error) or repr(error)
            raise BusError("", f"cannot connect to the bus at {address}: {why}") from error
        except BaseException:
            if bus:
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
    ) -> list[Any]:
        """What a method returns, its variants unwrapped; BusError.

        returns: the signature of that; an answer with another one is an error.  The limit is in
        seconds.
        """
        call = _Request(destination, path, interface, member, signature, body)
        reply = await self._request(call, returns, timeout)
        close_all(reply.unix_fds)
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
        fds: list[int] = list(reply.unix_fds)
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
        close_all(reply.unix_fds)
        check_form(name, signature_of(reply.body[0]), signature)
        return unwrap(reply.body[0])

    async def _request(self, request: _Request, returns: str, timeout: float) -> Any:
        """The reply, which has that signature."""
        if self.closed:
            raise BusError("", "the connection to the bus has ended")
        try:
            async with asyncio.timeout(timeout):
                callee = await self._callee(request.destination)
                return await self._answer(request, callee, returns)
        except TimeoutError:
            who = request.destination
            text = f"{request.member}: no answer from {who} in {timeout:g} s"
            raise BusError("", text) from None

    async def _callee(self, name: str) -> str:
        """The unique name of who is called: nobody else may answer."""
        if name == DRIVER or name.startswith(":"):
            return name
        owner = self._signals.owner(name)
        if owner is None:
            owner = await self._name_owner(name)
        if not owner:
            raise BusError(NO_OWNER, f"{name} is not on the bus")
        return owner

    async def _answer(self, request: _Request, callee: str, returns: str) -> Any:
        """What that one replies.

        The library's own `call` has no limit, and after the end of the connection never returns
        (dbus-next 0.2.3); so replies are told apart here.
        """
        message = method_call(callee, *request[1:])
        message.serial = self._library.next_serial()
        call = Call(request.member, callee, returns)
        with self._calls.under_way(message.serial, call) as answer:
            self._library.send(message).add_done_callback(_retrieve)
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
        try:
            owner = await self._name_owner(name)
        except BusError as error:
            if not error.name:
                raise
            owner = ""  # nobody for now
        self._signals.found_owner(name, owner)

    async def _add_match(self, rule: Rule) -> None:
        arguments = (str(rule),)
        await self.call(DRIVER, DRIVER_PATH, DRIVER, "AddMatch", "s", arguments, returns="")

    async def _name_owner(self, name: str) -> str:
        """BusError, such as NO_OWNER."""
        call = (DRIVER, DRIVER_PATH, DRIVER, "GetNameOwner", "s", (name,))
        (owner,) = await self.call(*call, returns="s")
        return str(owner)

    # -- what comes in ---------------------------------------------------------------------------

    def _wants(self, header: Header) -> bool:
        """Whether a message is to be read.  Nobody has anything to call here."""
        if header.kind == SIGNAL:
            return self._signals.wants(header)
        return header.kind in (METHOD_RETURN, ERROR) and self._calls.wants(header)

    def _incoming(self, message: Any) -> bool:
        """A handler as the library calls it, for every message; whether that is all."""
        if is_signal(message):
            close_all(message.unix_fds)
            self._signals.dispatch(message)
            return True
        # What is left is the library's own: the bus tells us our name.
        return self._calls.answer(message)

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
        self._watcher.cancel()
        self._library.release()
        self._calls.end()

    async def _watch(self) -> None:
        """Notice when the bus goes away."""
        # It raises whatever the reader met, such as EOFError; all of it means the same.
        with contextlib.suppress(Exception):
            await self._library.wait_for_disconnect()
        self.close()


def _retrieve(sent: asyncio.Future[None]) -> None:
    """Look at an error in writing, lest asyncio logs it: the end of the connection tells it."""
    if not sent.cancelled():
        sent.exception()
