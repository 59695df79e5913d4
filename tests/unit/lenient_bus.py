"""A bus that passes on whatever it is told to, from whomever, as dbus-broker does with replies that
nobody asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from guestctl.host.bus import SystemBus
from guestctl.host.bus_messages import DRIVER, METHOD_RETURN, Message, Raw, _header
from tests.unit.marshalled import encode

OURS = ":1.1"


class LenientBus:
    """Answers calls to itself; others are kept, for a test to answer."""

    def __init__(self, folder: Path, owners: dict[str, str]) -> None:
        self.path = f"{folder}/lenient"
        self.owners = owners
        self.calls: asyncio.Queue[Message] = asyncio.Queue()
        self.ended = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    def send(self, kind: int, body: list[Any], **fields: Any) -> None:
        """Have the client get this."""
        self.send_bytes(encode(kind, body, **fields))

    def send_bytes(self, data: bytes) -> None:
        """The same, of bytes that may be no message."""
        assert self._writer
        self._writer.write(data)

    def pause(self) -> None:
        """Read nothing."""
        assert self._writer
        cast(asyncio.Transport, self._writer.transport).pause_reading()

    def go_on(self) -> None:
        """Read again."""
        assert self._writer
        cast(asyncio.Transport, self._writer.transport).resume_reading()

    def drop(self) -> None:
        """End the connection, whatever waits in it."""
        assert self._writer
        self._writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, to its end."""
        self._writer = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not (await reader.readuntil(b"\r\n")).startswith(b"BEGIN"):
                writer.write(b"OK 0123456789abcdef0123456789abcdef\r\n")
            while True:
                self._take(await _message(reader))
        writer.close()
        self.ended.set()

    def _take(self, message: Message) -> None:
        header = message.header
        if header.interface != DRIVER:
            self.calls.put_nowait(message)
            return
        signature, body = "", list[Any]()
        if header.member == "Hello":
            signature, body = "s", [OURS]
        elif header.member == "GetNameOwner":
            signature, body = "s", [self.owners[message.body[0]]]
        elif header.member == "RequestName":
            signature, body = "u", [1]
        elif header.member in ("GetConnectionUnixUser", "GetConnectionUnixProcessID"):
            signature, body = "u", [0]
        fields = {"sender": DRIVER, "reply_serial": header.serial, "signature": signature}
        self.send(METHOD_RETURN, body, **fields)


async def _message(reader: asyncio.StreamReader) -> Message:
    fixed = await reader.readexactly(16)
    body, _, fields = struct.unpack_from("<III", fixed, 4)
    rest = await reader.readexactly(-(-fields // 8) * 8 + body)
    header = _header(fixed + rest)
    assert header
    return Raw(header, fixed + rest, []).message()


@contextlib.asynccontextmanager
async def lenient_bus(
    folder: Path, owners: dict[str, str]
) -> AsyncIterator[tuple[LenientBus, SystemBus]]:
    """The bus, and a client's connection to it."""
    bus = LenientBus(folder, owners)
    server = await asyncio.start_unix_server(bus.serve, bus.path)
    client = await SystemBus.connect(f"unix:path={bus.path}")
    try:
        yield bus, client
    finally:
        client.close()
        server.close()
        await bus.ended.wait()
