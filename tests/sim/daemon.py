"""A simulated libvirtd: its guests, its clients, what they called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from guestctl.model.event import GuestEvent
from guestctl.model.ports import ErrorKind

from .behaviour import GuestSpec, Image
from .chronicle import By, Entry
from .files import Files
from .guest import SimGuest
from .lock import Reply
from .machine import Machine

if TYPE_CHECKING:
    from .hypervisor import SimHypervisor


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

    def admit(self, client: SimHypervisor) -> None:
        """One more client."""
        self._clients.append(client)

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


def _saved_bytes(guest: SimGuest) -> int:
    """What its save takes, finished or not."""
    return guest.memory if guest.image is not Image.NONE else guest.being_saved
