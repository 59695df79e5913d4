"""Messages as they come from the bus: their headers are read first, and what nobody asked for is
passed over unread.

Any local user may send us signals of up to 128 MiB, and a body takes more than a second of
processor time for each MiB, on the event loop.  dbus-daemon and dbus-broker both say truly who
sent a message; dbus-broker checks nothing in its body.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .bus_values import read_values

#: The bus itself, as a sender, and its object.
DRIVER, DRIVER_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
#: Kinds of messages (D-Bus specification, "Message Format").
METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
#: Flags of a message: no reply is wanted, no service is to be started, polkit may ask the user.
NO_REPLY_EXPECTED, NO_AUTO_START, ALLOW_INTERACTIVE_AUTHORIZATION = 1, 2, 4
#: Bytes of a header; what logind, systemd and the bus send has some hundred.
LONGEST_HEADER = 8192
#: What is read before other tasks have their turn: messages, and bytes of those passed over.
MOST_MESSAGES, MOST_PASSED_OVER = 200, 4 << 20
_FIXED = 16
_PIECE = 1 << 16
#: File descriptors in one piece: SCM_MAX_FD of Linux; what does not fit, the kernel closes.
_MOST_FDS = 253
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _SENDER, _SIGNATURE = 1, 2, 3, 4, 5, 7, 8


class Header(NamedTuple):
    """What decides whether a message is read at all.

    `signature` says of what form the body is, `size` how long, in bytes.
    """

    kind: int
    flags: int
    serial: int
    reply_serial: int
    sender: str
    path: str
    interface: str
    member: str
    error_name: str
    signature: str
    size: int


class Message(NamedTuple):
    """A message that was read; its file descriptors are for who has it to close."""

    header: Header
    body: list[Any]
    fds: list[int]


class Raw(NamedTuple):
    """A whole message, and the file descriptors that came with it."""

    header: Header
    data: bytes
    fds: list[int]

    def message(self) -> Message:
        """The same, its body read; ValueError."""
        body = self.data[_header_size(self.data) :]
        values = read_values(self.header.signature, body, _order(self.data))
        return Message(self.header, values, self.fds)


class MessageReader:
    """Cuts messages from a socket that does not block."""

    def __init__(self, sock: socket.socket, wants: Callable[[Header], bool]) -> None:
        """wants: whether a message is to be read; asked once for each that has a fit header."""
        self._socket = sock
        self._wants = wants
        self._data = bytearray()
        self._fds: list[int] = []
        self._header: Header | None = None
        self._left_to_pass_over = 0

    def read(self) -> Iterator[Raw]:
        """What has come, and is wanted; EOFError, OSError.

        Ends as well after a share of what there is: others have their turn then.
        """
        passed_over = 0
        for _ in range(MOST_MESSAGES):
            while self._left_to_pass_over:
                size = self._pass_over()
                passed_over += size
                if not size or passed_over >= MOST_PASSED_OVER:
                    return
            if not self._has_header():
                return
            if self._header is not None:
                if not self._has(_size(self._data)):
                    return
                yield self._taken(self._header)

    def close(self) -> None:
        """Let go of what came and was not taken."""
        close_all(self._fds)
        self._fds = []

    def _has_header(self) -> bool:
        """Whether a header is there; of a message that is not wanted the rest is passed over."""
        if self._header is not None:
            return True
        if not self._has(_FIXED):
            return False
        fits = _header_size(self._data) <= LONGEST_HEADER
        if fits and not self._has(_header_size(self._data)):
            return False
        header = _header(self._data) if fits else None
        if header is not None and self._wants(header):
            self._header = header
            return True
        self._left_to_pass_over = _size(self._data) - len(self._data)
        self._forget()
        return True

    def _taken(self, header: Header) -> Raw:
        raw = Raw(header, bytes(self._data), self._fds)
        self._fds = []
        self._forget()
        return raw

    def _forget(self) -> None:
        self.close()
        self._data = bytearray()
        self._header = None

    def _has(self, size: int) -> bool:
        """Whether so many bytes of the message are there."""
        while len(self._data) < size:
            piece = self._receive(size - len(self._data))
            if not piece:
                return False
            self._data += piece
        return True

    def _pass_over(self) -> int:
        """How much of the message was passed over."""
        size = len(self._receive(min(self._left_to_pass_over, _PIECE)))
        self._left_to_pass_over -= size
        self.close()
        return size

    def _receive(self, size: int) -> bytes:
        """At most so many bytes, never of the next message; none while there are none."""
        fds = array.array("i")
        room = socket.CMSG_LEN(_MOST_FDS * fds.itemsize)
        try:
            piece, extra, *_ = self._socket.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return b""
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        self._fds.extend(fds)
        if not piece:
            raise EOFError("the bus closed the connection")
        return piece


def close_all(fds: Iterable[int]) -> None:
    """Close what came with a message and nobody takes."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _order(data: bytes | bytearray) -> str:
    order = {ord("l"): "<", ord("B"): ">"}.get(data[0])
    if order is None or data[3] != 1:
        raise EOFError("the bus speaks another protocol")
    return order


def _header_size(data: bytes | bytearray) -> int:
    (fields,) = struct.unpack_from(f"{_order(data)}I", data, 12)
    return _FIXED + _aligned(fields, 8)


def _size(data: bytes | bytearray) -> int:
    (body,) = struct.unpack_from(f"{_order(data)}I", data, 4)
    return _header_size(data) + int(body)


def _aligned(offset: int, boundary: int) -> int:
    return (offset + boundary - 1) & -boundary


def _header(data: bytes | bytearray) -> Header | None:
    """None where it cannot be read."""
    order = _order(data)
    size, serial, fields = struct.unpack_from(f"{order}III", data, 4)
    found: dict[int, int | str] = {}
    try:
        offset = _FIXED
        while offset < _FIXED + fields:
            offset, code, value = _field(data, _aligned(offset, 8), order)
            found[code] = value
    except (struct.error, IndexError, ValueError):
        return None
    reply_serial = found.get(_REPLY_SERIAL)
    return Header(
        kind=data[1],
        flags=data[2],
        serial=serial,
        reply_serial=reply_serial if isinstance(reply_serial, int) else 0,
        sender=str(found.get(_SENDER, "")),
        path=str(found.get(_PATH, "")),
        interface=str(found.get(_INTERFACE, "")),
        member=str(found.get(_MEMBER, "")),
        error_name=str(found.get(_ERROR_NAME, "")),
        signature=str(found.get(_SIGNATURE, "")),
        size=size,
    )


def _field(data: bytes | bytearray, offset: int, order: str) -> tuple[int, int, int | str]:
    """Where a field of the header ends, its code and its value; each is of one basic type."""
    code, length, kind, end = struct.unpack_from("BBcB", data, offset)
    offset += 4
    if (length, end) != (1, 0):
        raise ValueError("no basic type")
    if kind == b"g":
        length, offset = data[offset], offset + 1
    else:
        (length,) = struct.unpack_from(f"{order}I", data, offset)
        offset += 4
    if kind == b"u":
        return offset, code, length
    if kind not in b"sog":
        raise ValueError("no type of a header")
    text = bytes(data[offset : offset + length]).decode()
    return offset + length + 1, code, text
