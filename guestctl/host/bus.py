"""The system's D-Bus, as a client: calls that end, and signals from whom they should be.

No call made here starts a service: a D-Bus call to a logind that has been stopped would start it
anew, which cancels `systemctl start poweroff.target` altogether (systemd 252 to 257).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from .dbus_library import Library, close_all, is_error, is_signal, method_call, unwrap

DRIVER, DRIVER_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
#: Seconds for a connection to be made, and for a call to be answered.
CONNECT_LIMIT, CALL_LIMIT = 5.0, 5.0


class BusError(Exception):
    """A call failed.

    `name` is the D-Bus name of the error; empty when nobody answered: no bus, a time limit,
    a connection that ended.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class Rule(NamedTuple):
    """Which signals to hear; `sender` is a well-known name, empty fields match anything."""

    sender: str
    interface: str
    member: str
    path: str = ""
    arg0: str = ""

    def __str__(self) -> str:
        """As AddMatch takes it."""
        fields = [("type", "signal"), *self._asdict().items()]
        return ",".join(f"{key}='{value}'" for key, value in fields if value)


Handler = Callable[[list[Any]], None]


def system_address() -> str:
    """Where the system's bus listens."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"


class _Signals:
    """Who is to have which signals, and who may send them."""

    def __init__(self) -> None:
        self._subscriptions: list[tuple[Rule, Handler]] = []
        self._owners: dict[str, str] = {}

    def subscribe(self, rule: Rule, handler: Handler) -> None:
        self._subscriptions.append((rule, handler))

    def found_owner(self, name: str, owner: str) -> None:
        """Who owns a name; a change that was heard while the answer was on its way is newer."""
        self._owners.setdefault(name, owner)

    def dispatch(self, message: Any) -> None:
        if message.sender == DRIVER and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            self._owners[name] = owner
        for rule, handler in list(self._subscriptions):
            if self._fits(rule, message):
                handler(unwrap(message.body))

    def _fits(self, rule: Rule, message: Any) -> bool:
        sender = self._owners.get(rule.sender, "") if rule.sender != DRIVER else DRIVER
        return (
            message.sender == sender
            and (message.interface, message.member) == (rule.interface, rule.member)
            and rule.path in ("", message.path)
            and (not rule.arg0 or message.body[:1] == [rule.arg0])
        )


class SystemBus:
    """One connection to the bus; once it is lost it stays lost.

    In one piece: calls, properties and signals share the one connection, and what ends it.
    """

    def __init__(self, library: Library) -> None:
        """Use `connect`."""
        self._library = library
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._signals = _Signals()
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
            bus = cls(Library(address, negotiate_unix_fd=negotiate_unix_fd))
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
        timeout: float = CALL_LIMIT,
    ) -> list[Any]:
        """What a method returns, its variants unwrapped; BusError.  The limit is in seconds."""
        message = method_call(destination, path, interface, member, signature, body)
        reply = await self._request(message, timeout)
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
        """The file descriptor that a method returns as its first value; BusError.

        It is the caller's to close, and is not inherited by programs that are started.
        """
        message = method_call(destination, path, interface, member, signature, body)
        reply = await self._request(message, timeout)
        fds: list[int] = list(reply.unix_fds)
        # The body holds an index into the descriptors that came with the message.
        index = reply.body[0] if reply.signature.startswith("h") else -1
        if not 0 <= index < len(fds):
            close_all(fds)
            raise BusError("", f"{member} returned no file descriptor")
        fd = fds.pop(index)
        close_all(fds)
        os.set_inheritable(fd, False)
        return fd

    async def get_property(
        self, destination: str, path: str, interface: str, name: str, *, timeout: float = CALL_LIMIT
    ) -> Any:
        """A property's value; BusError."""
        properties = "org.freedesktop.DBus.Properties"
        arguments = (interface, name)
        body = await self.call(
            destination, path, properties, "Get", "ss", arguments, timeout=timeout
        )
        return body[0]

    async def _request(self, message: Any, timeout: float) -> Any:
        """The reply.

        The library's own `call` has no limit, and after the end of the connection never returns
        (dbus-next 0.2.3); so replies are told apart here.
        """
        if self.closed:
            raise BusError("", "the connection to the bus has ended")
        message.serial = self._library.next_serial()
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[message.serial] = reply
        try:
            self._library.send(message).add_done_callback(_retrieve)
            async with asyncio.timeout(timeout):
                return await reply
        except BaseException as error:
            _discard(reply)
            if isinstance(error, TimeoutError):
                text = f"{message.member}: no answer from {message.destination} in {timeout:g} s"
                raise BusError("", text) from None
            raise
        finally:
            del self._pending[message.serial]

    # -- signals ---------------------------------------------------------------------------------

    async def subscribe(self, rule: Rule, handler: Handler) -> None:
        """Have the bodies of these signals handed over, variants unwrapped; BusError.

        Anybody may send any signal to us alone, past all match rules: dbus-daemon's default
        policy allows it.  So only what the owner of the sender's name sends is handed over.
        """
        self._signals.subscribe(rule, handler)
        await self._driver("AddMatch", str(rule))
        if rule.sender != DRIVER:
            await self._track(rule.sender)

    async def _track(self, name: str) -> None:
        """Know who owns a name, from now on."""
        await self._driver("AddMatch", str(Rule(DRIVER, DRIVER, "NameOwnerChanged", arg0=name)))
        try:
            (owner,) = await self._driver("GetNameOwner", name)
        except BusError as error:
            if not error.name:
                raise
            owner = ""  # NameHasNoOwner: nobody for now
        self._signals.found_owner(name, owner)

    async def _driver(self, member: str, argument: str) -> list[Any]:
        return await self.call(DRIVER, DRIVER_PATH, DRIVER, member, "s", (argument,))

    def _incoming(self, message: Any) -> bool:
        """A handler as the library calls it, for every message; whether that is all."""
        pending = self._pending.get(message.reply_serial)
        if pending is not None and not pending.done():
            _resolve(pending, message)
            return True
        # A reply too late, or something nobody asked for: its descriptors are nobody's.  A late
        # answer of logind's is an inhibitor, which would be held for ever.
        close_all(message.unix_fds)
        if is_signal(message):
            self._signals.dispatch(message)
        return False

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
        for reply in self._pending.values():
            if not reply.done():
                reply.set_exception(BusError("", "the connection to the bus has ended"))

    async def _watch(self) -> None:
        """Notice when the bus goes away."""
        # It raises whatever the reader met, such as EOFError; all of it means the same.
        with contextlib.suppress(Exception):
            await self._library.wait_for_disconnect()
        self.close()


def _resolve(pending: asyncio.Future[Any], message: Any) -> None:
    if not is_error(message):
        pending.set_result(message)
        return
    close_all(message.unix_fds)
    text = message.body[0] if message.signature.startswith("s") else message.error_name
    pending.set_exception(BusError(message.error_name, text))


def _discard(reply: asyncio.Future[Any]) -> None:
    """Let go of an answer that came as its caller gave up."""
    if not reply.cancel() and not reply.cancelled() and reply.exception() is None:
        close_all(reply.result().unix_fds)


def _retrieve(sent: asyncio.Future[None]) -> None:
    """Look at an error in writing, lest asyncio logs it: the end of the connection tells it."""
    if not sent.cancelled():
        sent.exception()
