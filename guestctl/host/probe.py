"""Connecting to guests over the network: by way of a unit that may, else from this process.

guestctl's other units have no network.  guestctl-probe.service has, and nothing else; systemd
starts it when its socket is first connected to, which only root may do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

SOCKET = Path("/run/guestctl/probe")
#: Bytes of a question or an answer, which is a line.
LONGEST = 512
#: What a unit that is just being started may take beside the connection itself, in seconds.
START_LIMIT = 5.0
#: No connection is tried for longer.
MOST_SECONDS = 10.0
ACCEPTED = "accepted"


class Question(NamedTuple):
    """Whether a connection to there is accepted within so many seconds."""

    address: str
    port: int
    limit: float


def question(line: str) -> Question:
    """A question as `asked` writes it.  ValueError for anything else, and for an address that is
    no guest's: the host's own, and those that only name a link or a group."""
    address, port, limit = line.split()
    found = ipaddress.ip_address(address)
    if not is_some_guests(found):
        raise ValueError(f"{found} is no guest's")
    asked = Question(str(found), int(port), float(limit))
    if not (1 <= asked.port <= 65535 and 0 < asked.limit <= MOST_SECONDS):
        raise ValueError("out of range")
    return asked


def is_some_guests(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a guest may have it, as seen from the host."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    nobodys = (
        address.is_loopback,
        address.is_link_local,
        address.is_multicast,
        address.is_unspecified,
    )
    return not any(nobodys)


def asked(what: Question) -> bytes:
    """The question as a line."""
    return f"{what.address} {what.port} {what.limit}\n".encode()


async def connect(what: Question) -> str:
    """Why no connection was accepted; empty where one was.  Nothing is sent over it."""
    try:
        async with asyncio.timeout(what.limit):
            _, writer = await asyncio.open_connection(what.address, what.port)
    except TimeoutError:
        return f"no answer within {what.limit:g} s"
    except (OSError, UnicodeError) as error:
        return _reason(error)
    writer.transport.abort()
    return ""


def _reason(error: OSError | UnicodeError) -> str:
    """The system's word; asyncio has words of its own beside it."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error)


class HostProbe:
    """The Probe of model.ports.

    Where the unit's socket is not there, or not for this user, the connection is tried from here: a
    command in a shell has the network, and what has none says so.
    """

    def __init__(self, socket: Path = SOCKET) -> None:
        self._socket = socket

    async def connects(self, address: str, port: int, limit: float) -> str:
        what = Question(address, port, limit)
        try:
            async with asyncio.timeout(limit + START_LIMIT), _opened(self._socket) as unit:
                return await _ask(*unit, what)
        except TimeoutError:
            return f"{self._socket} did not answer within {limit + START_LIMIT:g} s"
        except (FileNotFoundError, PermissionError, ConnectionRefusedError) as error:
            return await self._from_here(what, error)
        except OSError as error:
            return f"{self._socket}: {_reason(error)}"

    async def _from_here(self, what: Question, missing: OSError) -> str:
        try:
            question(asked(what).decode())
        except ValueError as error:
            return str(error)
        why = await connect(what)
        alone = f"; guestctl-probe.socket cannot be used: {_reason(missing)}"
        return why and f"{why}{alone}" if self._socket == SOCKET else why


@contextlib.asynccontextmanager
async def _opened(
    socket: Path,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(socket, limit=LONGEST)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: Question) -> str:
    writer.write(asked(what))
    try:
        answer = (await reader.readline()).decode(errors="replace").strip()
    except ValueError:
        return "guestctl-probe.service said too much"
    if answer == ACCEPTED:
        return ""
    return answer or "guestctl-probe.service gave no answer"
