"""Connections to a simulated libvirtd, which implement the Hypervisor of ports.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from guestctl.model.event import EventKind, GuestEvent, Job
from guestctl.model.guest import DomainInfo, GuestFacts
from guestctl.model.options import Method
from guestctl.model.policy_change import PolicyChange
from guestctl.model.ports import ErrorKind, HypervisorError

from .behaviour import Image
from .chronicle import By
from .daemon import Call, SimDaemon
from .guest import SimGuest
from .lock import Reply

T = TypeVar("T")

Listener = Callable[[GuestEvent], None]


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
        daemon.admit(self)

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

    async def save(self, uuid: str, *, bypass_cache: bool, runs_again: bool = False) -> None:
        await self._guest_call(
            "save", uuid, lambda guest, reply: guest.save(reply, runs_again=runs_again)
        )

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

    async def start(self, uuid: str, *, boot_anew: bool = False, bypass_cache: bool = False) -> str:
        def start(guest: SimGuest, reply: Reply) -> None:
            if boot_anew and not guest.up and guest.image is not Image.NONE:
                guest.images.drop()
            guest.start(reply)

        await self._guest_call("start", uuid, start)
        return ""

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

    async def change_policy(self, uuid: str, change: PolicyChange) -> str:
        refused: str = await self._guest_call(
            "change_policy", uuid, lambda guest, reply: guest.change_policy(reply, change)
        )
        self._daemon.stir()
        return refused

    async def discard_save(self, uuid: str) -> None:
        await self._guest_call("discard_save", uuid, SimGuest.discard_save)

    async def set_time(self, uuid: str, seconds: float) -> None:
        await self._guest_call(
            "set_time", uuid, lambda guest, reply: guest.set_time(reply, seconds)
        )

    async def ping_agent(self, uuid: str) -> None:
        await self._guest_call("ping_agent", uuid, SimGuest.ping_agent)

    async def addresses(self, uuid: str) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._guest_call("addresses", uuid, SimGuest.addresses)
        return found

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
