"""Connections to libvirt: calls in threads, codes mapped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

import libvirt

from ...model.event import GuestEvent, Job
from ...model.guest import DomainInfo, GuestFacts, GuestId, State
from ...model.options import Method
from ...model.ports import ErrorKind, HypervisorError
from ...model.uris import why_remote
from .. import tasks
from .constants import job_kind, state_and_reason
from .domain_xml import read_domain_info, runs_a_system
from .events import Subscription, listen

T = TypeVar("T")

#: With a fifth call in flight (max_client_requests) the daemon stops reading the socket, and
#: drops the connection after 30 s.
CALLS_PER_CONNECTION = 4
#: For long calls: 16 saves, their progress and aborts, and room for calls that never return.
MAX_JOB_CONNECTIONS = 12
#: While libvirt ends a guest's QEMU, reading that guest's state waits for a second or two.
MAX_READING_CONNECTIONS = 6
#: A connection whose daemon hangs is given up after about 5 s * 3.
KEEPALIVE_SECONDS, KEEPALIVE_COUNT = 5, 3
#: A connection without a call for so long is closed: while open, it is woken every few seconds
#: by keepalives of both sides.  The one that hears events stays.
IDLE_LIMIT = 60.0


class LibvirtHypervisor:
    """The Hypervisor of ports.py over libvirt; connects when first used, and again when lost.

    A read-only one changes nothing, by libvirt's own word.
    """

    def __init__(self, uri: str, *, read_only: bool = False) -> None:
        self._uri = uri
        self._read_only = read_only
        self._listeners: list[Callable[[GuestEvent], None]] = []
        self._ear: Subscription | None = None
        self._disconnected = asyncio.Event()
        # Reading states takes none of libvirtd's workers, and has connections of its own: calls
        # that wait for a guest cannot keep anybody from learning the state of the others.
        self._reading = _Pool(uri, read_only, MAX_READING_CONNECTIONS, self._register)
        self._jobs = _Pool(uri, read_only, MAX_JOB_CONNECTIONS)

    @property
    def uri(self) -> str:
        return self._uri

    def listen(self, listener: Callable[[GuestEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def monitored(self) -> bool:
        return self._ear is not None and self._ear.monitored

    async def subscribe(self) -> asyncio.Event:
        # isAlive() raises nothing on a connection that is dead, which is then not made anew.
        await self._reading.call_first(lambda conn: conn.getLibVersion())
        return self._disconnected

    async def guests(self) -> list[GuestFacts]:
        return await self._reading.call(lambda conn: list(_read_all(self._uri, conn)))

    async def observe(self, uuid: str) -> GuestFacts | None:
        try:
            return await self._reading.call(
                lambda conn: _read(self._uri, conn.lookupByUUIDString(uuid))
            )
        except HypervisorError as error:
            if error.kind is ErrorKind.NO_GUEST:
                return None
            raise

    async def job(self, uuid: str) -> Job | None:
        return await self._job_call(uuid, _job)

    async def abort_job(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.abortJob())

    async def save(self, uuid: str, *, bypass_cache: bool) -> None:
        await self._job_call(uuid, lambda domain: _save(domain, bypass_cache=bypass_cache))

    async def request_shutdown(self, uuid: str, method: Method) -> None:
        await self._job_call(uuid, lambda domain: _request_shutdown(domain, method))

    async def wake(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.pMWakeup())

    async def unpause(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.resume())

    async def poweroff(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.destroy())

    async def start(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.create())

    async def set_time(self, uuid: str, seconds: float) -> None:
        whole = int(seconds)
        time = {"seconds": whole, "nseconds": int((seconds - whole) * 1e9)}
        await self._job_call(uuid, lambda domain: domain.setTime(time))

    async def domain_info(self, uuids: Collection[str]) -> dict[str, DomainInfo]:
        # The XML is a low-priority call to libvirtd, unlike the others that read.
        return await self._jobs.call(lambda conn: _domain_info(conn, uuids))

    async def discard_save(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.managedSaveRemove())

    async def close(self) -> None:
        self._reading.close()
        self._jobs.close()
        self._stop_hearing()

    async def _job_call(self, uuid: str, call: Callable[[Any], T]) -> T:
        return await self._jobs.call(lambda conn: call(conn.lookupByUUIDString(uuid)))

    def _register(self, conn: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Have events come to the loop; called each time the first reading connection opens."""
        if self._read_only and not self._listeners:
            return  # a command that looks once, and is gone
        disconnected = asyncio.Event()
        ear = listen(conn, self._uri, loop, self._tell, disconnected.set)
        tasks.call_soon(loop, lambda: self._now_hears(ear, disconnected))

    def _now_hears(self, ear: Subscription, disconnected: asyncio.Event) -> None:
        self._disconnected.set()
        self._stop_hearing()
        self._ear, self._disconnected = ear, disconnected

    def _stop_hearing(self) -> None:
        if self._ear:
            tasks.start(self._ear.stop)
            self._ear = None

    def _tell(self, event: GuestEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)


class _Pool:
    """Connections for one purpose: a further one when all have as many calls as they bear."""

    def __init__(
        self,
        uri: str,
        read_only: bool,
        most: int,
        on_open: Callable[[Any, asyncio.AbstractEventLoop], None] | None = None,
    ) -> None:
        """on_open is called each time the first of them is opened."""
        self._uri = uri
        self._read_only = read_only
        self._most = most
        self._connections = [_Connection(uri, read_only, on_open)]

    async def call(self, work: Callable[[Any], T]) -> T:
        """Work's result on the connection that has least to do; see _Connection.call."""
        first, *further = self._connections
        self._connections = [first, *(one for one in further if one.is_open or one.calls)]
        freest = min(self._connections, key=lambda connection: connection.calls)
        if freest.calls >= CALLS_PER_CONNECTION and len(self._connections) < self._most:
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
        on_open: Callable[[Any, asyncio.AbstractEventLoop], None] | None = None,
    ) -> None:
        self._uri = uri
        self.read_only = read_only
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
        opener = libvirt.openReadOnly if self.read_only else libvirt.open
        try:
            conn = opener(self._uri)
            if not self.read_only:
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


def _refuse_remote(uri: str, real: str) -> None:
    """libvirt.conf can give another host's URI an alias that looks like anything."""
    if reason := why_remote(real):
        raise HypervisorError(ErrorKind.FAILED, f"cannot act on {uri}: {real} {reason}")


def _failed(opening: asyncio.Future[Any]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


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
    if not _alive(conn):
        return ErrorKind.UNREACHABLE
    return _KINDS.get(error.get_error_code(), ErrorKind.FAILED)


def _alive(conn: Any) -> bool:
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
    return HypervisorError(kind, f"cannot connect to {uri}: {error}")


def _read_all(uri: str, conn: Any) -> Iterator[GuestFacts]:
    for domain in conn.listAllDomains():
        try:
            yield _read(uri, domain)
        except libvirt.libvirtError as error:
            if not _alive(conn):
                raise
            # Undefined, or a transient guest that ended, since it was listed.
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                guest = GuestId(uri, domain.UUIDString())
                yield GuestFacts(guest, domain.name(), State.UNKNOWN)


def _read(uri: str, domain: Any) -> GuestFacts:
    state, reason = state_and_reason(*domain.state())
    persistent = bool(domain.isPersistent())
    return GuestFacts(
        id=GuestId(uri, domain.UUIDString()),
        name=domain.name(),
        state=state,
        reason=reason,
        persistent=persistent,
        autostart=persistent and bool(domain.autostart()),
        saved=persistent and _has_save(domain),
        memory=domain.maxMemory() * 1024,
    )


def _has_save(domain: Any) -> bool:
    try:
        return bool(domain.hasManagedSaveImage())
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:  # LXC knows no saves
            return False
        raise


def _domain_info(conn: Any, uuids: Collection[str]) -> dict[str, DomainInfo]:
    """Of each guest that answers; a lost connection is an error, a guest without XML is not."""
    found = {}
    for uuid in uuids:
        try:
            domain = conn.lookupByUUIDString(uuid)
            definition = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            found[uuid] = read_domain_info(domain.XMLDesc(), definition)
        except libvirt.libvirtError:
            if not _alive(conn):
                raise
    return found


def _save(domain: Any, *, bypass_cache: bool) -> None:
    if bypass_cache:
        try:
            domain.managedSave(libvirt.VIR_DOMAIN_SAVE_BYPASS_CACHE)
        except libvirt.libvirtError as error:
            if not _takes_no_direct_writes(error):
                raise
        else:
            return
    domain.managedSave(0)


def _takes_no_direct_writes(error: libvirt.libvirtError) -> bool:
    """open(2): EINVAL is what a file system says that knows no O_DIRECT; nothing is saved then."""
    failed_by_system = error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR
    return bool(failed_by_system and error.get_int1() == errno.EINVAL)


def _job(domain: Any) -> Job | None:
    stats = domain.jobStats()
    if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) not in (
        libvirt.VIR_DOMAIN_JOB_BOUNDED,
        libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
    ):
        return None
    return Job(
        job_kind(stats.get("operation", 0)),
        stats.get("data_processed", 0),
        stats.get("data_total", 0),
    )


_SHUTDOWN_FLAGS = {
    Method.AGENT: libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
    Method.ACPI: libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
}


def _request_shutdown(domain: Any, method: Method) -> None:
    driver = domain.connect().getType()
    if driver == "QEMU":
        domain.shutdownFlags(_SHUTDOWN_FLAGS[method])
    elif method is not Method.ACPI:
        raise HypervisorError(ErrorKind.UNSUPPORTED, "this driver knows no guest agent")
    elif driver == "LXC":
        _ask_init(domain)
    else:
        # Other drivers refuse the modes; their own way is what "acpi" stands for.
        domain.shutdown()


def _ask_init(domain: Any) -> None:
    """Ask a container's init as it expects it.

    Without a mode libvirt writes to its initctl pipe, and means to send SIGTERM where there is
    none, but then says that all is well and does nothing (9.0, 11.3, 12.8).  systemd has no pipe
    from 258 on; SIGTERM means something else to it, and makes it forget what the pipe said.
    """
    if runs_a_system(domain.XMLDesc()):
        domain.shutdown()
        domain.sendProcessSignal(1, signal.SIGRTMIN + 4)  # systemd(1); others ignore it
    else:
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL)


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
