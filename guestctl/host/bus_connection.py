"""One connection to a bus: messages in, messages out, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import NamedTuple

from .bus_login import log_in, open_socket
from .bus_messages import (
    DRIVER,
    DRIVER_PATH,
    METHOD_CALL,
    METHOD_RETURN,
    Header,
    Message,
    MessageReader,
    Raw,
    close_all,
)
from .bus_writer import MessageWriter, QueueFull
from .dbus_library import Outgoing, encode

#: Bytes of the reply that tells our name, which has at most 255.
_LONGEST_NAME = 1024
_LAST_SERIAL = (1 << 32) - 1
#: Bytes of a message that is sent.  Over a longer one than it takes the bus ends the connection:
#: 32 MiB, by dbus-daemon's settings of the system's bus.
LONGEST_MESSAGE = 16 << 20


class Receiver(NamedTuple):
    """Whom a connection tells.

    wants: whether a message is to be read; on_message: it was; on_unreadable: it was, and its body
    is wrong; on_end: the bus ended the connection, which is closed then.
    """

    wants: Callable[[Header], bool]
    on_message: Callable[[Message], None]
    on_unreadable: Callable[[Header, str], None]
    on_end: Callable[[], None]


class Connection:
    """A connection under its unique name; once it is lost it stays lost."""

    def __init__(self, receiver: Receiver) -> None:
        """Use `connect` next."""
        self._receiver = receiver
        self._socket: socket.socket | None = None
        self._serial = 0
        self._hello: tuple[int, asyncio.Future[str]] | None = None
        #: Empty before `connect` has returned.
        self.unique_name = ""

    async def connect(self, address: str, *, negotiate_unix_fd: bool) -> None:
        """Come to the bus; EOFError, OSError, ValueError.  Without a time limit of its own.

        After an error, and after it was cancelled, `close` is the caller's to call.
        """
        self._socket = open_socket(address)
        self._reader = MessageReader(self._socket, self._is_wanted)
        self._writer = MessageWriter(self._socket)
        await log_in(self._socket, negotiate_unix_fd=negotiate_unix_fd)
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        self.unique_name = await self._named()

    def next_serial(self) -> int:
        """A number for a message that is to be told by it."""
        self._serial = self._serial % _LAST_SERIAL + 1
        return self._serial

    def send(self, message: Outgoing, serial: int = 0) -> None:
        """Send it, or have it wait for the bus; QueueFull, and ValueError for what is no message.

        serial: from `next_serial`.  A connection that has ended takes any message, for nobody.
        """
        self.send_encoded(encode(message, serial or self.next_serial()))

    def send_encoded(self, data: bytes) -> None:
        """The same of what is a message already."""
        if len(data) > LONGEST_MESSAGE:
            raise QueueFull(f"{len(data)} bytes are too many for a message")
        if self._socket is not None:
            self._writer.add(data)
            self._write()

    @property
    def waiting(self) -> int:
        """Bytes that the bus has not taken yet."""
        return self._writer.waiting

    @property
    def taken(self) -> int:
        """Bytes that it has taken so far."""
        return self._writer.taken

    def close(self) -> None:
        """End it, now; nobody is told.  May be called again."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        with contextlib.suppress(RuntimeError):  # outside of a loop nobody listens
            asyncio.get_running_loop().remove_reader(sock)
            asyncio.get_running_loop().remove_writer(sock)
        self._reader.close()
        sock.close()

    # -- the name --------------------------------------------------------------------------------

    async def _named(self) -> str:
        """The name that the bus gives us; nobody else can write to us before."""
        serial, name = self.next_serial(), asyncio.get_running_loop().create_future()
        self._hello = serial, name
        call = Outgoing(METHOD_CALL, DRIVER, DRIVER_PATH, DRIVER, "Hello")
        self.send(call, serial)
        try:
            return str(await name)
        finally:
            self._hello = None

    def _is_name(self, header: Header) -> bool:
        return self._hello is not None and header.reply_serial == self._hello[0]

    def _take_name(self, message: Message) -> None:
        close_all(message.fds)
        if self._hello is None or self._hello[1].done():
            return
        header = message.header
        if (header.kind, header.signature) == (METHOD_RETURN, "s"):
            self._hello[1].set_result(message.body[0])
        else:
            refusal = ConnectionError(f"the bus refuses us: {header.error_name}")
            self._hello[1].set_exception(refusal)

    # -- what comes in ---------------------------------------------------------------------------

    def _read(self) -> None:
        """Hand over what has come (the event loop calls this)."""
        try:
            for raw in self._reader.read():
                self._take(raw)
                if self._socket is None:  # whoever had it has closed the connection
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is: the next read would meet it again
            self._end(error)

    def _is_wanted(self, header: Header) -> bool:
        if self.unique_name:
            return self._receiver.wants(header)
        return self._is_name(header) and header.size <= _LONGEST_NAME

    def _take(self, raw: Raw) -> None:
        try:
            message = raw.message()
        except ValueError as error:
            close_all(raw.fds)
            self._receiver.on_unreadable(raw.header, str(error))
            return
        if self._is_name(raw.header):
            self._take_name(message)
            return
        try:
            self._receiver.on_message(message)
        except Exception as error:  # noqa: BLE001 - one bad handler is not the end of the connection
            context = {"message": "a message of the bus was not handled", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    # -- what goes out, and the end --------------------------------------------------------------

    def _write(self) -> None:
        """Write what waits (the event loop calls this when there is room)."""
        if self._socket is None:
            return
        try:
            is_all = self._writer.write()
        except OSError as error:
            self._end(error)
            return
        loop = asyncio.get_running_loop()
        if is_all:
            loop.remove_writer(self._socket)
        else:
            loop.add_writer(self._socket, self._write)

    def _end(self, error: Exception) -> None:
        self.close()
        if self._hello is not None and not self._hello[1].done():
            self._hello[1].set_exception(error)
        self._receiver.on_end()
