"""Objects on a private bus for tests of the server, and clients that behave well or badly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from guestctl.host.bus import SystemBus
from guestctl.host.bus_callers import Caller
from guestctl.host.bus_connection import Connection, Receiver
from guestctl.host.bus_errors import CallError, Standard
from guestctl.host.bus_interface import Argument, Interface, Method, Property, Signal
from guestctl.host.bus_messages import METHOD_CALL, Message
from guestctl.host.bus_server import BusServer
from guestctl.host.dbus_library import Outgoing
from tests.unit.private_bus import PrivateBus, until

NAME, ROOT, LEAF = "org.example.Shop", "/org/example/Shop", "/org/example/Shop/leaf"
#: Of each node that has one: what is right below.
BELOW = {"/": "org", "/org": "example", "/org/example": "Shop", ROOT: "leaf"}
BYTES = Argument("bytes", "u")
SHOP = Interface(
    "org.example.Shop",
    methods=(
        Method("Echo", (Argument("text", "s"),), (Argument("text", "s"),), "read"),
        Method("Much", (BYTES,), (Argument("text", "s"),), "read"),
        Method(
            "Everything",
            (Argument("names", "as"), Argument("options", "a{sv}"), Argument("rows", "a(sid)")),
            (Argument("names", "as"), Argument("options", "a{sv}"), Argument("rows", "a(sid)")),
            "read",
        ),
        Method("Look", needs="read"),
        Method("Sell", returns=(Argument("lot", "o"),), needs="sell"),
        Method("Misfit", returns=(Argument("lot", "o"),)),
        Method("Crash"),
        Method("Subscribe", needs="read"),
        Method("Unsubscribe", needs="read"),
        Method("Whoami", returns=(Argument("uid", "u"), Argument("pid", "u"), Argument("i", "b"))),
    ),
    properties=(Property("Level", "u"), Property("Names", "as"), Property("Rows", "a(sd)")),
    signals=(Signal("Rang", (Argument("number", "t"), Argument("text", "s"))),),
    needs="read",
)


class Shop:
    """What is exported; what it may not do is in `forbidden`, what it waits for in `gates`."""

    def __init__(self) -> None:
        self.server: BusServer
        self.troubles: list[str] = []
        self.named: list[bool] = []
        self.forbidden: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        #: Methods as they began, ended, and were cancelled.
        self.begun: list[str] = []
        self.done: list[str] = []
        self.cancelled: list[str] = []
        self.values: dict[str, Any] = {"Level": 7, "Names": ["a"], "Rows": [("x", 0.5)]}

    def trouble(self, text: str, _: BaseException | None) -> None:
        """What the server tells."""
        self.troubles.append(text)

    def interfaces(self, path: str) -> Sequence[Interface] | None:
        """There is one object below the root."""
        return {**dict.fromkeys(BELOW, ()), ROOT: (SHOP,), LEAF: (SHOP,)}.get(path)

    async def children(self, caller: Caller, path: str) -> Sequence[str]:
        """The leaf, for whoever may read."""
        await self.allow(caller, "read")
        return [BELOW[path]] if path in BELOW else []

    def needs(self, path: str, interface: Interface, method: Method) -> str:
        """Of the leaf `Look` is to sell."""
        return "sell" if (path, method.name) == (LEAF, "Look") else method.needs

    async def allow(self, caller: Caller, needs: str) -> None:
        """Refuse what is forbidden."""
        if needs in self.forbidden:
            raise CallError(Standard.ACCESS_DENIED, f"{needs} is not for {caller.uid}")

    async def call(
        self,
        caller: Caller,
        path: str,
        interface: Interface,
        method: Method,
        arguments: Sequence[Any],
    ) -> Sequence[Any]:
        """Do what the method is called."""
        self.begun.append(method.name)
        try:
            await self.gate.wait()
            values: Sequence[Any] = await getattr(self, f"_{method.name.lower()}")(
                caller, *arguments
            )
        except asyncio.CancelledError:
            self.cancelled.append(method.name)
            raise
        self.done.append(method.name)
        return values

    async def properties(self, path: str, interface: Interface) -> Mapping[str, Any]:
        """All of them."""
        return self.values

    async def _echo(self, _: Caller, text: str) -> Sequence[Any]:
        return (text,)

    async def _much(self, _: Caller, size: int) -> Sequence[Any]:
        if size > 32 << 20:
            raise CallError(Standard.INVALID_ARGS, "so much is not there")
        return ("x" * size,)

    async def _everything(self, _: Caller, *values: Any) -> Sequence[Any]:
        return values

    async def _look(self, _: Caller) -> Sequence[Any]:
        return ()

    async def _sell(self, _: Caller) -> Sequence[Any]:
        return (f"{ROOT}/lot",)

    async def _misfit(self, _: Caller) -> Sequence[Any]:
        return ("no path",)

    async def _crash(self, _: Caller) -> Sequence[Any]:
        raise KeyError("secret")

    async def _subscribe(self, caller: Caller) -> Sequence[Any]:
        await self.server.subscribe(caller)
        return ()

    async def _unsubscribe(self, caller: Caller) -> Sequence[Any]:
        self.server.unsubscribe(caller)
        return ()

    async def _whoami(self, caller: Caller) -> Sequence[Any]:
        return caller.uid, caller.pid, caller.interactive


@contextlib.asynccontextmanager
async def shop(address: str, *, wait: bool = True) -> AsyncIterator[Shop]:
    """The objects, under their name unless there is nothing to wait for."""
    exported = Shop()
    server = exported.server = BusServer(
        NAME, exported, exported.trouble, on_named=exported.named.append, address=address
    )
    running = asyncio.create_task(server.run())
    try:
        if wait:
            await until(lambda: server.is_named)
        yield exported
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def ask(
    client: SystemBus, member: str, signature: str = "", *body: Any, **options: Any
) -> list[Any]:
    """What the shop answers; the signature of that is in the table unless it is given."""
    method = SHOP.methods_by_name.get(member)
    expected = "".join(row.signature for row in method.returns) if method else ""
    returns = options.pop("returns", expected)
    path, interface = options.pop("path", ROOT), options.pop("interface", SHOP.name)
    return await client.call(
        NAME, path, interface, member, signature, body, returns=returns, **options
    )


class Raw:
    """A connection that sends whatever it is told to, and has what came."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        receiver = Receiver(lambda _: True, self.heard.append, lambda _, __: None, lambda: None)
        self.connection = Connection(receiver)

    def call(self, member: str, signature: str = "", *body: Any, **fields: Any) -> int:
        """Send a call; its serial number."""
        serial = self.connection.next_serial()
        what = {"path": ROOT, "interface": SHOP.name, "destination": NAME, **fields}
        message = Outgoing(METHOD_CALL, member=member, signature=signature, body=body, **what)
        self.connection.send(message, serial)
        return serial

    def answer(self, serial: int) -> Message | None:
        """The answer to a call, once it has come."""
        found = (each for each in self.heard if each.header.reply_serial == serial)
        return next(found, None)

    async def wait(self, serial: int) -> Message:
        """The answer to a call."""
        while (answer := self.answer(serial)) is None:  # noqa: ASYNC110 - of another connection
            await asyncio.sleep(0.001)
        return answer

    def reads(self, does: bool) -> None:
        """Whether it takes what comes."""
        loop, sock = asyncio.get_running_loop(), self.connection._socket
        assert sock
        if does:
            loop.add_reader(sock, self.connection._read)
        else:
            loop.remove_reader(sock)


@contextlib.asynccontextmanager
async def raw(bus: PrivateBus) -> AsyncIterator[Raw]:
    """Such a connection."""
    client = Raw()
    await client.connection.connect(bus.address, negotiate_unix_fd=True)
    try:
        yield client
    finally:
        client.connection.close()


async def subscribed(client: Raw) -> None:
    """Returns when it is one who is told of signals."""
    serial = client.call("Subscribe")
    await until(lambda: client.answer(serial) is not None)


def rung(client: Raw) -> list[int]:
    """The numbers of the signals that it was sent."""
    return [each.body[0] for each in client.heard if each.header.member == "Rang"]
