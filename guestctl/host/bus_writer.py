"""Messages on their way to the bus: what it does not take at once waits, up to a limit.

dbus-next and dbus-fast hold a socket that is full for a broken one and end the connection: any
user who asks for much and reads nothing brought that about.
"""

from __future__ import annotations

import socket
from collections import deque

#: Bytes that may wait; a reply of a busy host has some hundred thousand.
LONGEST_QUEUE = 4 << 20


class QueueFull(Exception):
    """A message is not taken on: it is too long, or so much waits for a bus that takes nothing."""


class MessageWriter:
    """Writes messages to a socket that does not block, whole and in order."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._queue: deque[memoryview] = deque()
        #: Bytes that wait, and that have been written.
        self.waiting, self.taken = 0, 0

    def add(self, data: bytes) -> None:
        """Have it written after what waits; QueueFull.  One that is alone may be of any size."""
        if self._queue and self.waiting + len(data) > LONGEST_QUEUE:
            raise QueueFull(f"{self.waiting} bytes wait for a bus that takes none")
        self._queue.append(memoryview(data))
        self.waiting += len(data)

    def write(self) -> bool:
        """Write what the socket takes now; whether that was all.  OSError."""
        while self._queue:
            try:
                size = self._socket.send(self._queue[0])
            except (BlockingIOError, InterruptedError):
                return False
            self._written(size)
        return True

    def _written(self, size: int) -> None:
        self.waiting -= size
        self.taken += size
        rest = self._queue.popleft()[size:]
        if rest:
            self._queue.appendleft(rest)
