"""The implementations of Hypervisor, each with one guest to try the protocol on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import libvirt

from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.model.event import EventKind, GuestEvent
from guestctl.model.guest import GuestFacts, State
from guestctl.model.ports import ErrorKind, Hypervisor, HypervisorError
from tests.sim import loop as virtual
from tests.sim.behaviour import Behaviour, GuestSpec, Image, Save, uuid_of
from tests.sim.daemon import SimDaemon
from tests.sim.guest import SimGuest
from tests.sim.hypervisor import SimHypervisor
from tests.testbed import guests as real
from tests.testbed.session import SessionDaemon
from tests.testbed.tiny_guest import tiny_guest

T = TypeVar("T")

NAME, PASSING = "contract", "contract-passing"
#: How long anything may take; a real guest boots on an emulated processor.
LIMIT, POLL = 30.0, 0.02


class Bench(Protocol):
    """One implementation, as the tests use it."""

    name: str

    def run(self, story: Callable[[Trial], Coroutine[Any, Any, T]]) -> T:
        """Run a test with a Trial, on the implementation's kind of loop."""

    def uuid(self, name: str) -> str:
        """The UUID of the guest with this name."""

    def pause(self, uuid: str) -> None:
        """As `virsh suspend` does."""

    def reset(self, uuid: str) -> None:
        """As `virsh reset` does."""

    def make_transient(self) -> None:
        """Start the guest named PASSING, which is defined nowhere."""

    def rename(self, uuid: str, name: str) -> None:
        """As `virsh domrename` does."""

    def set_autostart(self, uuid: str, value: bool) -> None:
        """As `virsh autostart` does."""

    def undefine(self, uuid: str) -> None:
        """As `virsh undefine` does."""

    def define(self) -> None:
        """Have the persistent guest named NAME."""


@dataclass
class Trial:
    """What one test works with: the hypervisor, its events, and the persistent guest."""

    bench: Bench
    hypervisor: Hypervisor
    guest: str
    events: list[GuestEvent] = field(default_factory=list)

    async def facts(self) -> GuestFacts:
        """The guest's facts."""
        facts = await self.hypervisor.observe(self.guest)
        assert facts is not None
        return facts

    async def off(self) -> None:
        """Have the guest off and without a save, whatever it was before."""
        if (await self.facts()).saved:
            await self.hypervisor.start(self.guest)
        if (await self.facts()).up:
            await self.hypervisor.poweroff(self.guest)
            await self.heard(EventKind.STOPPED)
        self.events.clear()

    async def on(self) -> None:
        """Have the guest running; a real one is not booted anew for each test."""
        facts = await self.facts()
        if not facts.up:
            await self.hypervisor.start(self.guest)
            await self.heard(EventKind.STARTED)
        elif facts.state is State.PAUSED:
            await self.hypervisor.unpause(self.guest)
            await self.heard(EventKind.RESUMED)
        self.events.clear()

    async def until(self, holds: Callable[[GuestFacts], bool]) -> GuestFacts:
        """Wait until this holds for the guest."""
        async with asyncio.timeout(LIMIT):
            while not holds(facts := await self.facts()):  # noqa: ASYNC110 - events may be lost
                await asyncio.sleep(POLL)
        return facts

    async def heard(self, kind: EventKind, uuid: str = "") -> GuestEvent:
        """Wait for an event of the guest, or of another one."""
        wanted = uuid or self.guest
        async with asyncio.timeout(LIMIT):
            while True:
                for event in self.events:
                    if event.kind is kind and event.guest.uuid == wanted:
                        return event
                await asyncio.sleep(POLL)


async def refusal(call: Coroutine[Any, Any, object]) -> ErrorKind | None:
    """How the call fails; None when it does not."""
    try:
        await call
    except HypervisorError as error:
        return error.kind
    return None


# -- simulated -----------------------------------------------------------------------------------


class SimulatedBench:
    """The simulated hypervisor of the scenarios, in virtual time."""

    name = "simulated"

    def __init__(self, save: Save | None = None) -> None:
        self._save = save or Save()
        self._daemon = SimDaemon()

    def run(self, story: Callable[[Trial], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            self._daemon = SimDaemon()
            self.define()
            trial = Trial(self, SimHypervisor(self._daemon), self.uuid(NAME))
            trial.hypervisor.listen(trial.events.append)
            await trial.hypervisor.guests()
            try:
                return await story(trial)
            finally:
                await trial.hypervisor.close()

        return virtual.run(main())

    def uuid(self, name: str) -> str:
        return uuid_of(name)

    def _guest(self, uuid: str) -> SimGuest:
        return self._daemon.guests[uuid]

    def pause(self, uuid: str) -> None:
        self._guest(uuid).pause()

    def reset(self, uuid: str) -> None:
        self._guest(uuid).reset()

    def make_transient(self) -> None:
        self._daemon.add(GuestSpec(PASSING, persistent=False))

    def rename(self, uuid: str, name: str) -> None:
        self._guest(uuid).rename(name)

    def set_autostart(self, uuid: str, value: bool) -> None:
        self._guest(uuid).autostart = value

    def undefine(self, uuid: str) -> None:
        self._guest(uuid).undefine()

    def define(self) -> None:
        behaviour = Behaviour(boots=2.0, save=self._save)
        self._daemon.add(GuestSpec(NAME, image=Image.NONE, behaviour=behaviour))


# -- libvirt -------------------------------------------------------------------------------------


class LibvirtBench:
    """libvirt itself, through guestctl's own client and a second one for the administrator."""

    name = "libvirt"

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def run(self, story: Callable[[Trial], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            hypervisor = LibvirtHypervisor(self._uri)
            trial = Trial(self, hypervisor, self.uuid(NAME))
            hypervisor.listen(trial.events.append)
            await hypervisor.guests()
            self._admin = libvirt.open(self._uri)
            try:
                return await story(trial)
            finally:
                self._admin.close()
                await hypervisor.close()

        return asyncio.run(main())

    def uuid(self, name: str) -> str:
        return real.guest_uuid(name)

    def pause(self, uuid: str) -> None:
        self._admin.lookupByUUIDString(uuid).suspend()

    def reset(self, uuid: str) -> None:
        self._admin.lookupByUUIDString(uuid).reset()

    def make_transient(self) -> None:
        self._admin.createXML(self._xml(PASSING))

    def rename(self, uuid: str, name: str) -> None:
        self._admin.lookupByUUIDString(uuid).rename(name)

    def set_autostart(self, uuid: str, value: bool) -> None:
        self._admin.lookupByUUIDString(uuid).setAutostart(int(value))

    def undefine(self, uuid: str) -> None:
        self._admin.lookupByUUIDString(uuid).undefine()

    def define(self) -> None:
        self._admin.defineXML(self._xml(NAME))

    def _xml(self, name: str) -> str:
        raise NotImplementedError


class TestDriverBench(LibvirtBench):
    """libvirt's test driver; its guests belong to the process, not to a connection."""

    __test__ = False
    name = "test driver"

    def __init__(self) -> None:
        super().__init__("test:///default")
        # The driver forgets its guests with the last connection of the process.
        self._keeper = libvirt.open(self._uri)
        self._admin = libvirt.open(self._uri)
        self.define()
        self._admin.lookupByName(NAME).create()

    def _xml(self, name: str) -> str:
        return (
            f"<domain type='test'><name>{name}</name><uuid>{self.uuid(name)}</uuid>"
            "<memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>"
        )

    def close(self) -> None:
        """Leave nothing behind in the process."""
        self._admin = libvirt.open(self._uri)
        domain = self._admin.lookupByName(NAME)
        with suppress(libvirt.libvirtError):
            domain.destroy()
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        self._admin.close()
        self._keeper.close()


class QemuBench(LibvirtBench):
    """A real QEMU guest in a session daemon of the tests' own."""

    name = "QEMU"

    def __init__(self, daemon: SessionDaemon) -> None:
        super().__init__(daemon.uri)
        self.daemon = daemon
        daemon.start(real.GuestSpec(NAME), wait=False)

    def _xml(self, name: str) -> str:
        spec = real.GuestSpec(name)
        return real.domain_xml(spec, tiny_guest(), self.daemon.console(name))
