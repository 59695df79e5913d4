"""A simulated libvirtd and connections to it, which implement the Hypervisor of ports.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, TypeVar

from guestctl.model.event import EventKind, GuestEvent, Job
from guestctl.model.guest import DomainInfo, GuestFacts
from guestctl.model.options import Method
from guestctl.model.ports import ErrorKind, HypervisorError

from .behaviour import GuestSpec, Image
from .chronicle import By, Entry
from .files import Files
from .guest import SimGuest
from .lock import Reply
from .machine import Machine

T = TypeVar("T")

Listener = Callable[[GuestEvent], None]


class Call(NamedTuple):
    """One call that reached libvirtd, at this virtual time; guest is a name, or empty."""

    time: float
    name: str
    guest: str


class SimDaemon:
    """One simulated libvirtd: its guests, its clients, and a log of what they called."""

    def __init__(self, uri: str = "qemu:///system", files: Files | None = None) -> None:
        self.uri = uri
        self.files = files or Files()
        self.chronicle: list[Entry] = []
        self.boot = 1
        self.guests: dict[str, SimGuest] = {}
        self.calls: list[Call] = []
        self.saves, self.most_saves = 0, 0
        self.reachable = True
        self._clients: list[SimHypervisor] = []
        self._names: dict[str, str] = {}
        self._outages = 0
        self._reborn = False
        #: Whether it is known that nothing starts it again by itself.
        self.is_stopped = False
        #: Calls whose next one fails.
        self.failing: set[str] = set()
        #: libvirt's marker that autostart was done for this boot was there before it.
        self.autostart_is_done = False

    def add(self, spec: GuestSpec) -> SimGuest:
        """Have a guest as the spec says."""
        guest = SimGuest(self, spec)
        self.guests[guest.uuid] = guest
        return guest

    def named(self, name: str) -> SimGuest:
        """The guest that has this name now."""
        return next(guest for guest in self.guests.values() if guest.name == name)

    def name_of(self, uuid: str) -> str:
        """The name of a guest, also of one that is gone; empty for no guest."""
        if guest := self.guests.get(uuid):
            self._names[uuid] = guest.name
        return self._names.get(uuid, "")

    def connect(self) -> SimHypervisor:
        """One more client."""
        client = SimHypervisor(self)
        self._clients.append(client)
        return client

    @property
    def free(self) -> int | None:
        """Bytes left where saves go; None where that is not known."""
        room = self.files.room.get(self.uri)
        return None if room is None else room - sum(map(_saved_bytes, self.guests.values()))

    # -- what a guest needs of it ----------------------------------------------------------------

    def emit(self, guest: Machine, event: GuestEvent) -> None:
        """Events come to clients a moment later, as through a socket."""
        for client in self._clients:
            asyncio.get_running_loop().call_soon(client.hear, event)

    def stir(self) -> None:
        """A network, a pool or a device came or went, which clients hear a moment later."""
        for client in self._clients:
            asyncio.get_running_loop().call_soon(client.stir)

    def remove(self, guest: Machine) -> None:
        self.guests.pop(guest.uuid, None)

    def save_began(self) -> None:
        self.saves += 1
        self.most_saves = max(self.saves, self.most_saves)

    def save_ended(self) -> None:
        self.saves -= 1

    # -- what befalls it -------------------------------------------------------------------------

    def lose_connections(self, seconds: float | None = None) -> None:
        """Calls fail from now on, those under way too; for so many seconds or for good."""
        self.reachable = False
        self._outages += 1
        for client in self._clients:
            client.fail_all(ErrorKind.UNREACHABLE, "Cannot recv data: Connection reset by peer")
        if seconds is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._come_back, self._outages)

    def die(self, seconds: float) -> None:
        """It is killed, and started again after so many seconds; QEMU processes go on."""
        for guest in self.guests.values():
            guest.lose_libvirtd()
        self.lose_connections(seconds)
        self._reborn = True

    def stop(self) -> None:
        """An administrator stops it for good; QEMU processes go on."""
        self.lose_connections()
        self.is_stopped = True

    def begin_anew(self) -> None:
        """Somebody starts it."""
        self.is_stopped = False
        self._begin_anew()

    def _come_back(self, outage: int) -> None:
        if outage == self._outages:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.reachable = True
        if self._reborn:
            self._reborn = False
            for guest in self.guests.values():
                guest.find_libvirtd()
                guest.look_for_image()

    def disconnect(self, client: SimHypervisor) -> None:
        """Forget a client that is gone."""
        if client in self._clients:
            self._clients.remove(client)

    def reboot(self, boot: int, *, unlinks_lost: bool = False) -> None:
        """The host booted anew: no guest is up, and libvirtd starts those that are flagged."""
        self.reachable, self._reborn, self.is_stopped = True, False, False
        self._outages += 1
        for guest in list(self.guests.values()):
            guest.lose_memory()
            if unlinks_lost:
                guest.images.lose_unlinks(self.boot)
            guest.look_for_image()
        self.boot = boot
        for guest in self.guests.values():
            if (guest.autostart or guest.autostart_once) and not self.autostart_is_done:
                guest.autostart_once = False
                guest.start(Reply(by=By.LIBVIRT))


class SimHypervisor:
    """A connection to a simulated libvirtd."""

    def __init__(self, daemon: SimDaemon) -> None:
        self._daemon = daemon
        self._listeners: list[Listener] = []
        self._around: list[Callable[[], None]] = []
        # A dict for its order: a set's would differ from run to run.
        self._in_flight: dict[asyncio.Future[Any], None] = {}
        self._registered = False
        self._disconnected = asyncio.Event()
        self._closed = False
        #: Called before a call is sent, and once it was sent; may kill the process.
        self.reached: Callable[[str], None] = lambda _: None

    @property
    def uri(self) -> str:
        return self._daemon.uri

    @property
    def monitored(self) -> bool:
        return self._daemon.uri.startswith("qemu")

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def listen_around(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._around.append(listener)
        return lambda: self._around.remove(listener)

    def stir(self) -> None:
        """Something around the guests came or went."""
        if self._registered:
            for listener in tuple(self._around):
                listener()

    async def subscribe(self) -> asyncio.Event:
        await self.guests()
        return self._disconnected

    def hear(self, event: GuestEvent) -> None:
        """Hand an event on; those of an outage, and before the first call, are lost."""
        if self._registered and (event.kind is not EventKind.MONITOR or self.monitored):
            for listener in tuple(self._listeners):
                listener(event)

    def fail_all(self, kind: ErrorKind, message: str) -> None:
        """Every call under way fails, and no event comes until the next call."""
        self._registered = False
        self._disconnected.set()
        self._disconnected = asyncio.Event()
        for future in self._in_flight:
            Reply(future).fail(kind, message)

    async def guests(self) -> list[GuestFacts]:
        def read(reply: Reply) -> None:
            if not any(guest.behaviour.wedged for guest in self._daemon.guests.values()):
                reply.ok([guest.facts for guest in self._daemon.guests.values()])

        listed: list[GuestFacts] = await self._call("guests", "", read)
        self._registered = True
        return listed

    async def observe(self, uuid: str) -> GuestFacts | None:
        def read(reply: Reply) -> None:
            guest = self._daemon.guests.get(uuid)
            if not (guest and guest.behaviour.wedged):
                reply.ok(guest and guest.facts)

        facts: GuestFacts | None = await self._call("observe", uuid, read)
        self._registered = True
        return facts

    async def job(self, uuid: str) -> Job | None:
        job: Job | None = await self._guest_call("job", uuid, SimGuest.job)
        return job

    async def abort_job(self, uuid: str) -> None:
        await self._guest_call("abort_job", uuid, SimGuest.abort_job)

    async def block_jobs(self, uuid: str) -> tuple[Job, ...]:
        jobs: tuple[Job, ...] = await self._guest_call("block_jobs", uuid, SimGuest.block_jobs)
        return jobs

    async def abort_block_job(self, uuid: str, disk: str) -> None:
        await self._guest_call("abort_block_job", uuid, SimGuest.abort_block_job)

    async def save(self, uuid: str, *, bypass_cache: bool) -> None:
        await self._guest_call("save", uuid, SimGuest.save)

    async def request_shutdown(self, uuid: str, method: Method) -> None:
        await self._guest_call(
            f"request_shutdown {method}",
            uuid,
            lambda guest, reply: guest.request_shutdown(reply, method),
        )

    async def set_restarts(self, uuid: str, *, restarts: bool) -> None:
        await self._guest_call(
            "set_restarts", uuid, lambda guest, reply: guest.set_restarts(reply, restarts)
        )

    async def wake(self, uuid: str) -> None:
        await self._guest_call("wake", uuid, SimGuest.wake)

    async def unpause(self, uuid: str) -> None:
        await self._guest_call("unpause", uuid, SimGuest.unpause)

    async def poweroff(self, uuid: str) -> None:
        await self._guest_call("poweroff", uuid, SimGuest.poweroff)

    async def start(self, uuid: str, *, boot_anew: bool = False) -> None:
        def start(guest: SimGuest, reply: Reply) -> None:
            if boot_anew and not guest.up and guest.image is not Image.NONE:
                guest.images.drop()
            guest.start(reply)

        await self._guest_call("start", uuid, start)

    async def started_once(self) -> frozenset[str]:
        def read(reply: Reply) -> None:
            guests = self._daemon.guests.values()
            reply.ok(frozenset(guest.uuid for guest in guests if guest.autostart_once))

        found: frozenset[str] = await self._call("started_once", "", read)
        return found

    async def use_up_autostart_once(self, uuid: str) -> None:
        await self._guest_call("use_up_autostart_once", uuid, SimGuest.use_up_autostart_once)

    async def domain_info(self, uuids: Collection[str]) -> dict[str, DomainInfo]:
        def read(reply: Reply) -> None:
            found = [guest for uuid in uuids if (guest := self._daemon.guests.get(uuid))]
            if not any(guest.behaviour.wedged for guest in found):
                reply.ok({guest.uuid: guest.info for guest in found})

        domain_info: dict[str, DomainInfo] = await self._call("domain_info", "", read)
        return domain_info

    async def discard_save(self, uuid: str) -> None:
        await self._guest_call("discard_save", uuid, SimGuest.discard_save)

    async def set_time(self, uuid: str, seconds: float) -> None:
        await self._guest_call(
            "set_time", uuid, lambda guest, reply: guest.set_time(reply, seconds)
        )

    async def close(self) -> None:
        self._closed = True
        self._daemon.disconnect(self)

    def kill(self) -> None:
        """The client's process is gone: whatever it still tries is of no effect."""
        self.fail_all(ErrorKind.FAILED, "this process is gone")
        self._closed = True
        self._daemon.disconnect(self)

    async def _guest_call(
        self, name: str, uuid: str, work: Callable[[SimGuest, Reply], None]
    ) -> Any:
        def on_guest(reply: Reply) -> None:
            guest = self._daemon.guests.get(uuid)
            if guest is None:
                reply.fail(ErrorKind.NO_GUEST, f"Domain not found: no domain with uuid '{uuid}'")
            elif not guest.behaviour.wedged:
                work(guest, reply)

        return await self._call(name, uuid, on_guest)

    async def _call(self, name: str, uuid: str, work: Callable[[Reply], None]) -> Any:
        """What libvirtd was asked for happens, also when the caller gives up waiting."""
        await asyncio.sleep(0)
        self.reached(name)
        self._check_process()
        if not self._daemon.reachable:
            message = f"cannot connect to {self.uri}: Connection refused"
            raise HypervisorError(ErrorKind.UNREACHABLE, message)
        if name in self._daemon.failing:
            self._daemon.failing.remove(name)
            raise HypervisorError(ErrorKind.FAILED, "internal error: a fault that passes")
        loop = asyncio.get_running_loop()
        self._daemon.calls.append(Call(loop.time(), name, self._daemon.name_of(uuid)))
        future: asyncio.Future[Any] = loop.create_future()
        self._in_flight[future] = None
        try:
            work(Reply(future, By.GUESTCTL))
            self.reached(f"{name}, done")
            return await future
        finally:
            self._in_flight.pop(future, None)

    def _check_process(self) -> None:
        if self._closed:
            raise HypervisorError(ErrorKind.FAILED, "this process is gone")


def _saved_bytes(guest: SimGuest) -> int:
    """What its save takes, finished or not."""
    return guest.memory if guest.image is not Image.NONE else guest.being_saved
