"""Connections to libvirt: opened and closed as needed, calls in threads, errors as ours."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import libvirt

from ...model.ports import ErrorKind, HypervisorError
from ...model.uris import why_remote
from .. import tasks

T = TypeVar("T")

#: With a fifth call in flight (max_client_requests) the daemon stops reading the socket, and
#: drops the connection after 30 s.
CALLS_PER_CONNECTION = 4
#: For long calls: 16 saves, their progress and aborts, and room for calls that never return.
MAX_JOB_CONNECTIONS = 24
#: A call that is sent while another is in flight on the same connection can stay unsent until that
#: one returns, as if the client's thread had not been woken (libvirt 9.0; seen where it is sent as
#: an event arrives): behind a save that is minutes.  So long calls share as late as can be.
SHARE_LATE = 1
#: For pulling plugs: of 24 guests at a time, each of which can take 15 s.
MAX_END_CONNECTIONS = 6
#: While libvirt ends a guest's QEMU, reading that guest's state waits for a second or two.
MAX_READING_CONNECTIONS = 6
#: A connection whose daemon hangs is given up after about 5 s * 3.
KEEPALIVE_SECONDS, KEEPALIVE_COUNT = 5, 3
#: A connection without a call for so long is closed: while open, it is woken every few seconds
#: by keepalives of both sides.  The one that hears events stays.
IDLE_LIMIT = 60.0

#: What a connection that has just been opened is good for besides calls: called in its thread,
#: with the loop of whoever waits for it.
OnOpen = Callable[[Any, asyncio.AbstractEventLoop], None]


def library_version() -> int:
    """Of libvirt as it is installed; 11.6.0 is 11006000."""
    return int(libvirt.getVersion())


class Pool:
    """Connections for one purpose: a further one when all have as many calls as they bear."""

    def __init__(
        self,
        uri: str,
        read_only: bool,
        most: int,
        on_open: OnOpen | None = None,
        share_from: int = CALLS_PER_CONNECTION,
    ) -> None:
        """on_open is called each time the first of them is opened.  share_from: from so many calls
        on, a further one is opened while there may be more."""
        self._uri = uri
        self._read_only = read_only
        self._most, self._share_from = most, share_from
        self._connections = [_Connection(uri, read_only, on_open)]

    async def call(self, work: Callable[[Any], T]) -> T:
        """Work's result on the connection that has least to do; see _Connection.call."""
        first, *further = self._connections
        self._connections = [first, *(one for one in further if one.is_open or one.calls)]
        freest = min(self._connections, key=lambda connection: connection.calls)
        if freest.calls >= self._share_from and len(self._connections) < self._most:
            freest = _Connection(self._uri, self._read_only)
            self._connections.append(freest)
        return await freest.call(work)

    async def call_first(self, work: Callable[[Any], T]) -> T:
        """Work's result on the connection that on_open was called for."""
        return await self._connections[0].call(work)

    def close(self) -> None:
        """Let go of all of them."""
        for connection in self._connections:
            connection.close()


class _Connection:
    """One libvirt connection: opened when needed, at most four calls at a time."""

    def __init__(
        self,
        uri: str,
        read_only: bool,
        on_open: OnOpen | None = None,
    ) -> None:
        self._uri = uri
        self._read_only = read_only
        self._on_open = on_open
        self._slots = asyncio.Semaphore(CALLS_PER_CONNECTION)
        self._opening: asyncio.Future[Any] | None = None
        #: Calls under way or waiting for a slot.
        self.calls = 0
        self._idle: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is open, or being opened."""
        return self._opening is not None

    async def call(self, work: Callable[[Any], T]) -> T:
        """Work's result; HypervisorError for any libvirtError.

        A call that the caller stopped waiting for keeps its slot until libvirt returns.
        """
        self.calls += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            await self._slots.acquire()
        except BaseException:
            self._one_less()
            raise
        try:
            opening = self._open()
            conn = await asyncio.shield(opening)
            running = tasks.start(lambda: _mapped(conn, work))
        except RuntimeError as error:  # no further thread can be started
            self._returned()
            raise HypervisorError(ErrorKind.FAILED, str(error)) from error
        except BaseException:
            self._returned()
            raise
        # The inner future outlives a cancelled caller: see the docstring.
        running.add_done_callback(lambda call: self._after_call(call, opening))
        return await asyncio.shield(running)

    def _after_call(self, call: asyncio.Future[Any], opening: asyncio.Future[Any]) -> None:
        self._returned()
        error = call.exception()
        lost = isinstance(error, HypervisorError) and error.kind is ErrorKind.UNREACHABLE
        if lost and self._opening is opening:  # and not one that was made since
            self._opening = None

    def _returned(self) -> None:
        self._slots.release()
        self._one_less()

    def _one_less(self) -> None:
        self.calls -= 1
        if not self.calls and self._on_open is None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(IDLE_LIMIT, self._close_idle)

    def _close_idle(self) -> None:
        if self._opening is not None and self._opening.done():
            opening, self._opening = self._opening, None
            # What is left of calls that failed has guests of the connection in it, which keep it
            # open; nothing else makes an idle process look for cycles.
            gc.collect()
            if not _failed(opening):
                # It says good-bye to a daemon that may hang.
                with contextlib.suppress(RuntimeError):  # no further thread can be started
                    tasks.start(opening.result().close).add_done_callback(_failed)

    def _open(self) -> asyncio.Future[Any]:
        if self._opening is None or _failed(self._opening):
            loop = asyncio.get_running_loop()
            self._opening = tasks.start(lambda: self._open_blocking(loop))
            # Somebody may have stopped waiting: asyncio logs errors that nobody looked at.
            self._opening.add_done_callback(_failed)
        return self._opening

    def _open_blocking(self, loop: asyncio.AbstractEventLoop) -> Any:
        _run_event_loop()
        opener = libvirt.openReadOnly if self._read_only else libvirt.open
        try:
            conn = opener(self._uri)
            if not self._read_only:
                _refuse_remote(self._uri, conn.getURI())
            with contextlib.suppress(libvirt.libvirtError):  # the test driver has none
                conn.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
            if self._on_open:
                self._on_open(conn, loop)
        except libvirt.libvirtError as error:
            raise _cannot_connect(self._uri, error) from error
        return conn

    def close(self) -> None:
        """Let go of the connection; libvirt closes it once its last call has returned."""
        self._opening = None


def _failed(opening: asyncio.Future[Any]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


# Opening


def _refuse_remote(uri: str, real: str) -> None:
    """libvirt.conf can give another host's URI an alias that looks like anything."""
    if reason := why_remote(real):
        raise HypervisorError(ErrorKind.FAILED, f"cannot act on {uri}: {real} {reason}")


_event_thread_lock = threading.Lock()
_event_thread: threading.Thread | None = None


def _run_event_loop() -> None:
    """Start libvirt's default event loop, once per process and before any connection."""
    global _event_thread
    with _event_thread_lock:
        if _event_thread is None:
            # Without this every error is also printed on stderr.
            libvirt.registerErrorHandler(lambda _context, _error: None, None)
            libvirt.virEventRegisterDefaultImpl()
            _event_thread = threading.Thread(target=_loop_forever, name="events", daemon=True)
            _event_thread.start()


def _loop_forever() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


# Errors


def _mapped(conn: Any, work: Callable[[Any], T]) -> T:
    try:
        return work(conn)
    except libvirt.libvirtError as error:
        raise HypervisorError(_kind_of(conn, error), str(error)) from error
    except HypervisorError:
        raise
    except Exception as error:  # a fault in the binding fails one call, not the run
        raise HypervisorError(ErrorKind.FAILED, repr(error)) from error


_KINDS = {
    libvirt.VIR_ERR_NO_DOMAIN: ErrorKind.NO_GUEST,
    libvirt.VIR_ERR_OPERATION_INVALID: ErrorKind.WRONG_STATE,
    libvirt.VIR_ERR_OPERATION_ABORTED: ErrorKind.ABORTED,
    libvirt.VIR_ERR_NO_SUPPORT: ErrorKind.UNSUPPORTED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: ErrorKind.UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: ErrorKind.UNSUPPORTED,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: ErrorKind.UNSUPPORTED,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: ErrorKind.NO_ANSWER,
    libvirt.VIR_ERR_AGENT_UNSYNCED: ErrorKind.NO_ANSWER,
    libvirt.VIR_ERR_SYSTEM_ERROR: ErrorKind.SYSTEM,
    libvirt.VIR_ERR_AUTH_FAILED: ErrorKind.NOT_PERMITTED,
    libvirt.VIR_ERR_AUTH_CANCELLED: ErrorKind.NOT_PERMITTED,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE: ErrorKind.NOT_PERMITTED,
    libvirt.VIR_ERR_ACCESS_DENIED: ErrorKind.NOT_PERMITTED,
    libvirt.VIR_ERR_OPERATION_DENIED: ErrorKind.NOT_PERMITTED,
}


def _kind_of(conn: Any, error: libvirt.libvirtError) -> ErrorKind:
    if not is_alive(conn):
        return ErrorKind.UNREACHABLE
    return _KINDS.get(error.get_error_code(), ErrorKind.FAILED)


def is_alive(conn: Any) -> bool:
    """Whether a connection can still be used: what failed on one that is not says nothing."""
    try:
        return bool(conn.isAlive())
    except libvirt.libvirtError:
        return False


def _cannot_connect(uri: str, error: libvirt.libvirtError) -> HypervisorError:
    kind = _KINDS.get(error.get_error_code(), ErrorKind.UNREACHABLE)
    if kind is not ErrorKind.NOT_PERMITTED:
        # libvirt says EACCES on the socket only in words and in the system error number.
        refused = kind is ErrorKind.SYSTEM and error.get_int1() == errno.EACCES
        kind = ErrorKind.NOT_PERMITTED if refused else ErrorKind.UNREACHABLE
    hint = "" if kind is ErrorKind.NOT_PERMITTED else _how_to_start(str(error))
    return HypervisorError(kind, f"cannot connect to {uri}: {error}{hint}")


#: How libvirt names the socket that it did not get an answer from: the system's, by its daemon.
_SYSTEM_SOCKET = re.compile(r"/run/libvirt/(libvirt|virt\w+d)-sock")


def _how_to_start(message: str) -> str:
    """What starts the daemon that did not answer."""
    found = _SYSTEM_SOCKET.search(message)
    if not found or "/user/" in message:
        return ""
    daemon = "libvirtd" if found[1] == "libvirt" else found[1]
    return f"; to start it: systemctl start {daemon}"
