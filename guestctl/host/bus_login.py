"""The way to a bus: its address, a socket to it, and who we are.

The libraries block in connecting, and dbus-next 0.2.3, dbus-fast 1.84 and 2.44 take the end of the
stream during authentication for an empty piece of a line: they ask for the next one for ever,
without once letting the event loop go on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from urllib.parse import unquote_to_bytes

#: A bus answers each step of the authentication in one short line.
_LONGEST_LINE = 4096


def open_socket(address: str) -> socket.socket:
    """A socket to where a bus listens; OSError, ValueError.

    address: as in the D-Bus specification, of a Unix socket; of several, the first that answers.
    """
    failure: OSError | ValueError = ValueError("no address of a bus")
    for each in address.split(";"):
        try:
            return _connected(_socket_name(each))
        except (OSError, ValueError) as error:
            failure = error
    raise failure


def _socket_name(address: str) -> bytes:
    transport, _, rest = address.partition(":")
    options = dict(option.partition("=")[::2] for option in rest.split(","))
    path, abstract = options.get("path"), options.get("abstract")
    if transport != "unix" or not (path or abstract):
        raise ValueError(
            "no address of a Unix socket, such as unix:path=/run/dbus/system_bus_socket"
        )
    return unquote_to_bytes(path) if path else b"\0" + unquote_to_bytes(abstract or "")


def _connected(name: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Where the bus hangs and its queue of connections is full, Linux refuses at once (EAGAIN).
        sock.setblocking(False)
        sock.connect(name)
    except BaseException:
        sock.close()
        raise
    return sock


async def log_in(sock: socket.socket, *, negotiate_unix_fd: bool) -> None:
    """Say who we are, by what the kernel tells the bus of us; EOFError, OSError, ValueError.

    Without a time limit of its own.
    """
    user = str(os.geteuid()).encode().hex()
    await _ask(sock, f"\0AUTH EXTERNAL {user}", "OK")
    if negotiate_unix_fd:
        await _ask(sock, "NEGOTIATE_UNIX_FD", "AGREE_UNIX_FD")
    await _say(sock, "BEGIN")


async def _ask(sock: socket.socket, line: str, expected: str) -> None:
    await _say(sock, line)
    answer = await _line(sock)
    if answer.split(" ")[0] != expected:
        raise ValueError(f"the bus answered {answer[:80]!r} where {expected} should come")


async def _say(sock: socket.socket, line: str) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, f"{line}\r\n".encode())


async def _line(sock: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\r\n"):
        piece = await asyncio.get_running_loop().sock_recv(sock, 512)
        if not piece or len(line) > _LONGEST_LINE:
            raise EOFError("the bus closed the connection during authentication")
        line += piece
    return line[:-2].decode(errors="replace")
