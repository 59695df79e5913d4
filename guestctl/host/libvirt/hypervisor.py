"""The guests of a libvirt connection: what is read of them, and what is done to them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

import libvirt

from ...model.event import GuestEvent, Job
from ...model.guest import DomainInfo, GuestFacts
from ...model.options import Method
from ...model.policy_change import PolicyChange
from ...model.ports import ErrorKind, HypervisorError, within
from .. import tasks
from . import agent
from .connections import (
    MAX_END_CONNECTIONS,
    MAX_JOB_CONNECTIONS,
    MAX_READING_CONNECTIONS,
    SHARE_LATE,
    Pool,
    is_alive,
)
from .domain_xml import has_volumes, no_volumes, read_domain_info, runs_a_system
from .events import Subscription, listen
from .jobs import abort_block_job, block_jobs, current_job
from .metadata import change_policy
from .reading import marked, read_all, read_one, started_once, with_save
from .sharing import Shared

T = TypeVar("T")

#: Seconds for learning where volumes of storage pools are.
VOLUMES_LIMIT = 10.0
THROUGH_CACHE = "its file system knows no O_DIRECT: its save was read through the page cache"


class LibvirtHypervisor:
    """The Hypervisor of model.ports over libvirt; connects when first used, and again when lost.

    A read-only one changes nothing, by libvirt's own word.  It has as many methods as the port,
    most of them one call to libvirt.
    """

    def __init__(self, uri: str, *, read_only: bool = False) -> None:
        self._uri = uri
        self._read_only = read_only
        self._listeners: list[Callable[[GuestEvent], None]] = []
        self._around: list[Callable[[], None]] = []
        self._subscription: Subscription | None = None
        self._disconnected = asyncio.Event()
        # Reading states takes none of libvirtd's workers, and has connections of its own: calls
        # that wait for a guest cannot keep anybody from learning the state of the others.
        self._reading = Pool(uri, read_only, MAX_READING_CONNECTIONS, self._listen_on)
        self._saved = Shared(lambda: self._reading.call(with_save))
        self._jobs = Pool(uri, read_only, MAX_JOB_CONNECTIONS, share_from=SHARE_LATE)
        # virDomainDestroy needs no worker either, and must not wait for calls that hang.
        self._ends = Pool(uri, read_only, MAX_END_CONNECTIONS)
        # Nor must an abort wait for the save that it is to end.
        self._aborts = Pool(uri, read_only, MAX_END_CONNECTIONS, share_from=SHARE_LATE)

    @property
    def uri(self) -> str:
        return self._uri

    def listen(self, listener: Callable[[GuestEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def listen_around(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._around.append(listener)
        return lambda: self._around.remove(listener)

    @property
    def monitored(self) -> bool:
        return self._subscription is not None and self._subscription.monitored

    async def subscribe(self) -> asyncio.Event:
        # isAlive() raises nothing on a connection that is dead, which is then not made anew.
        await self._reading.call_first(lambda conn: conn.getLibVersion())
        return self._disconnected

    async def guests(self) -> list[GuestFacts]:
        return await self._reading.call(lambda conn: read_all(self._uri, conn))

    async def observe(self, uuid: str) -> GuestFacts | None:
        try:
            guest = await self._reading.call(lambda conn: read_one(self._uri, conn, uuid))
        except HypervisorError as error:
            if error.kind is ErrorKind.NO_GUEST:
                return None
            raise
        # Afterwards: see read_all.
        return marked(guest, await self._saved()) if guest.persistent else guest

    async def job(self, uuid: str) -> Job | None:
        return await self._job_call(uuid, current_job)

    async def abort_job(self, uuid: str) -> None:
        await self._aborts.call(lambda conn: conn.lookupByUUIDString(uuid).abortJob())

    async def block_jobs(self, uuid: str) -> tuple[Job, ...]:
        return await self._job_call(uuid, block_jobs)

    async def abort_block_job(self, uuid: str, disk: str) -> None:
        await self._job_call(uuid, lambda domain: abort_block_job(domain, disk))

    async def save(self, uuid: str, *, bypass_cache: bool, runs_again: bool = False) -> None:
        flags = libvirt.VIR_DOMAIN_SAVE_RUNNING if runs_again else 0
        await self._job_call(uuid, lambda domain: _save(domain, flags, bypass_cache=bypass_cache))

    async def request_shutdown(self, uuid: str, method: Method) -> None:
        await self._job_call(uuid, lambda domain: _request_shutdown(domain, method))

    async def set_restarts(self, uuid: str, *, restarts: bool) -> None:
        await self._job_call(uuid, lambda domain: _set_restarts(domain, restarts=restarts))

    async def wake(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.pMWakeup())

    async def unpause(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.resume())

    async def poweroff(self, uuid: str) -> None:
        await self._ends.call(lambda conn: conn.lookupByUUIDString(uuid).destroy())

    async def start(self, uuid: str, *, boot_anew: bool = False, bypass_cache: bool = False) -> str:
        return await self._job_call(
            uuid, lambda domain: _start(domain, boot_anew=boot_anew, bypass_cache=bypass_cache)
        )

    async def set_time(self, uuid: str, seconds: float) -> None:
        whole = int(seconds)
        time = {"seconds": whole, "nseconds": int((seconds - whole) * 1e9)}
        await self._job_call(uuid, lambda domain: domain.setTime(time))

    async def ping_agent(self, uuid: str) -> None:
        await self._job_call(uuid, agent.ping)

    async def addresses(self, uuid: str) -> tuple[str, ...]:
        return await self._job_call(uuid, agent.addresses)

    async def started_once(self) -> frozenset[str]:
        return await self._jobs.call(started_once)

    async def use_up_autostart_once(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.setAutostartOnce(0))

    async def domain_info(self, uuids: Collection[str]) -> dict[str, DomainInfo]:
        # The XML is a low-priority call to libvirtd, unlike the others that read.
        found = await self._jobs.call(lambda conn: _domain_info(conn, uuids))
        if volumes := [uuid for uuid, info in found.items() if has_volumes(info)]:
            # Other daemons are asked where they are; one that hangs hides nothing else.
            with contextlib.suppress(HypervisorError):
                call = self._jobs.call(lambda conn: _domain_info(conn, volumes, resolve=True))
                found |= await within(VOLUMES_LIMIT, call)
        return found

    async def change_policy(self, uuid: str, change: PolicyChange) -> str:
        return await self._job_call(uuid, lambda domain: change_policy(domain, change))

    async def discard_save(self, uuid: str) -> None:
        await self._job_call(uuid, lambda domain: domain.managedSaveRemove())

    async def close(self) -> None:
        self._reading.close()
        self._jobs.close()
        self._ends.close()
        self._aborts.close()
        self._unsubscribe()

    async def _job_call(self, uuid: str, call: Callable[[Any], T]) -> T:
        return await self._jobs.call(lambda conn: call(conn.lookupByUUIDString(uuid)))

    def _listen_on(self, conn: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Have events come to the loop; called each time the first reading connection opens."""
        if self._read_only and not self._listeners:
            return  # a command that looks once, and is gone
        disconnected = asyncio.Event()
        subscription = listen(conn, self._uri, loop, self._pass_on, self._stirred, disconnected.set)
        tasks.call_soon(loop, lambda: self._subscribed(subscription, disconnected))

    def _subscribed(self, subscription: Subscription, disconnected: asyncio.Event) -> None:
        self._disconnected.set()
        self._unsubscribe()
        self._subscription, self._disconnected = subscription, disconnected

    def _unsubscribe(self) -> None:
        if self._subscription:
            tasks.start(self._subscription.stop)
            self._subscription = None

    def _stirred(self) -> None:
        for listener in tuple(self._around):
            listener()

    def _pass_on(self, event: GuestEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)


def _domain_info(
    conn: Any, uuids: Collection[str], *, resolve: bool = False
) -> dict[str, DomainInfo]:
    """Of each guest that answers; a lost connection is an error, a guest without XML is not.

    resolve: with volumes of pools as the files or devices that they are.
    """
    volumes = partial(_volume_path, conn) if resolve else no_volumes
    found = {}
    for uuid in uuids:
        try:
            domain = conn.lookupByUUIDString(uuid)
            definition = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            found[uuid] = read_domain_info(domain.XMLDesc(), definition, volumes)
        except libvirt.libvirtError:
            if not is_alive(conn):
                raise
    return found


def _volume_path(conn: Any, pool: str, name: str) -> str | None:
    """None for a volume that libvirt does not know, or a pool that is not active."""
    try:
        path: str = conn.storagePoolLookupByName(pool).storageVolLookupByName(name).path()
    except libvirt.libvirtError:
        if not is_alive(conn):
            raise
        return None
    return path


def _save(domain: Any, flags: int = 0, *, bypass_cache: bool) -> None:
    if bypass_cache:
        try:
            domain.managedSave(flags | libvirt.VIR_DOMAIN_SAVE_BYPASS_CACHE)
        except libvirt.libvirtError as error:
            if not _knows_no_o_direct(error):
                raise
        else:
            return
    domain.managedSave(flags)


def _start(domain: Any, *, boot_anew: bool, bypass_cache: bool = False) -> str:
    """What was done otherwise than asked; empty for nothing."""
    if domain.connect().getType() != "QEMU":
        domain.createWithFlags(0)  # other drivers refuse the flags, and have no saves
        return ""
    if boot_anew or not bypass_cache:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT if boot_anew else 0)
        return ""
    try:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_BYPASS_CACHE)
    except libvirt.libvirtError as error:
        if not _knows_no_o_direct(error):
            raise
    else:
        return ""
    domain.createWithFlags(0)
    return THROUGH_CACHE


def _knows_no_o_direct(error: libvirt.libvirtError) -> bool:
    """open(2): EINVAL is what a file system says that knows no O_DIRECT; nothing was done then."""
    failed_by_system = error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR
    return bool(failed_by_system and error.get_int1() == errno.EINVAL)


def _set_restarts(domain: Any, *, restarts: bool) -> None:
    action = (
        libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART
        if restarts
        else libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY
    )
    kind, live = libvirt.VIR_DOMAIN_LIFECYCLE_POWEROFF, libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setLifecycleAction(kind, action, live)


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
