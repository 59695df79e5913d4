"""What guestctl-probe.service does: connections to guests, for those units that have no network.

It is started by its socket, and ends once nobody has asked for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from ..host.probe import ACCEPTED, LONGEST, connect, question

#: Seconds without a question until it ends; systemd starts it again at the next.
IDLE = 60.0
#: For a question to come, and an answer to go.
TALK_LIMIT = 5.0
#: So many connections are tried at a time.
AT_A_TIME = 32
#: The first socket that systemd hands over (sd_listen_fds(3)).
_FIRST = 3


def handed_over() -> socket.socket | None:
    """The socket that systemd has handed to this process; None where it has not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=_FIRST)


class Prober:
    """Answers questions, each on a connection of its own."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._under_way = 0
        self._asked = asyncio.Event()

    async def serve(self, listening: socket.socket, idle: float = IDLE) -> None:
        """Until nobody has asked for so long."""
        server = await asyncio.start_unix_server(self._answer, sock=listening, limit=LONGEST)
        async with server:
            while await self._has_been_asked(idle) or self._under_way:
                pass

    async def _has_been_asked(self, seconds: float) -> bool:
        self._asked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._asked.wait()
        return False

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asked.set()
        self._under_way += 1
        try:
            async with self._slots:
                await _talk(reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever asked is gone, or says nothing
        finally:
            self._under_way -= 1
            writer.transport.abort()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(TALK_LIMIT):
        try:
            what = question((await reader.readline()).decode())
        except ValueError as error:  # a line that is too long as well
            writer.write(f"cannot be asked: {error}\n".encode()[:LONGEST])
            await _sent(writer)
            return
    writer.write(f"{await connect(what) or ACCEPTED}\n".encode())
    async with asyncio.timeout(TALK_LIMIT):
        await _sent(writer)


async def _sent(writer: asyncio.StreamWriter) -> None:
    """Given to the kernel, so that nothing is lost as the connection ends."""
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def serve() -> bool:
    """Serve on the socket that was handed over; False where there is none."""
    listening = handed_over()
    if listening is None:
        return False
    listening.setblocking(False)
    asyncio.run(Prober().serve(listening))
    return True
