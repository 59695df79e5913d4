"""What a simulated guest is apart from libvirt's calls: its state, its lives, its files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol

from guestctl.model.event import EventKind, GuestEvent
from guestctl.model.guest import Disk, DiskKind, GuestFacts, GuestId, State

from .behaviour import GuestSpec, Image, uuid_of
from .chronicle import By, Entry, Fate
from .files import Files
from .image import Images


class Owner(Protocol):
    """The libvirtd that a guest belongs to."""

    uri: str
    files: Files
    chronicle: list[Entry]
    boot: int

    @property
    def free(self) -> int | None:
        """Bytes left where saves go."""

    def emit(self, guest: Machine, event: GuestEvent) -> None:
        """Tell every client."""

    def remove(self, guest: Machine) -> None:
        """The guest exists no more."""

    def save_began(self) -> None:
        """For counting how many are under way."""

    def save_ended(self) -> None:
        """For counting how many are under way."""


class Machine:
    """A guest's state and files, and the chronicle of what became of it."""

    def __init__(self, owner: Owner, spec: GuestSpec) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.uuid = spec.uuid or uuid_of(spec.name)
        self.name = spec.name
        self.behaviour = spec.behaviour
        self.state = spec.state
        self.reason = spec.reason or ("booted" if spec.state is State.RUNNING else "unknown")
        self.persistent = spec.persistent
        self.autostart = spec.autostart
        self.autostart_once = spec.autostart_once
        self.memory = spec.memory
        self.info = spec.info
        self.images = Images(spec.managed_save)
        self.clock: float | None = None
        #: How often it began to run: what one life remembers is of no use to the next but one.
        self.lives = 0
        self._life = 0
        #: When it began to run, booted or resumed.
        self._runs_since = self._loop.time() - min(spec.booted, 86400.0)
        if spec.managed_save is not Image.NONE:
            self._make_image(spec.managed_save)

    @property
    def up(self) -> bool:
        """As GuestFacts.up."""
        return self.state is not State.SHUT_OFF

    @property
    def id(self) -> GuestId:
        """As guestctl knows it."""
        return GuestId(self._owner.uri, self.uuid)

    @property
    def image(self) -> Image:
        """What libvirt would make of its managed-save file."""
        return self.images.kind if self._owner.files.saves_mounted else Image.NONE

    def look_for_image(self) -> None:
        """libvirtd does so when it starts, and at no other time."""
        self.images.known = self.image is not Image.NONE

    @property
    def facts(self) -> GuestFacts:
        """What libvirt says of it."""
        return GuestFacts(
            self.id,
            self.name,
            self.state,
            self.reason,
            self.persistent,
            self.autostart,
            self.images.known,
            self.memory,
        )

    # -- its files -------------------------------------------------------------------------------

    @property
    def disks(self) -> tuple[Disk, ...]:
        """All that it stores data in."""
        return self.info.disks or ()

    @property
    def disk(self) -> str:
        """The name of its first disk."""
        return self.disks[0].name

    def _make_image(self, kind: Image = Image.COMPLETE) -> None:
        contents = self._owner.files.contents(self.disks)
        self.images.make(self.lives, contents, self.can_open_disks(), kind)

    def _consume_image(self, by: By) -> None:
        number = self.images.number
        contents = self._owner.files.contents(self.disks)
        wrong = self.images.consume(self.lives, contents, self._owner.boot)
        self._note(Fate.RESUMED, by, number, wrong)

    @property
    def has_true_save(self) -> bool:
        """Whether it can be resumed and nothing speaks against it."""
        contents = self._owner.files.contents(self.disks)
        return self.image is Image.COMPLETE and self.images.is_true(self.lives, contents)

    def can_open_disks(self) -> bool:
        """Whether QEMU would find all of them."""
        return self._owner.files.is_there(self.disks)

    def _has_filled_its_disk(self) -> bool:
        free = self._owner.free
        return free is not None and free < 0

    def _begin_to_run(self) -> None:
        self.lives += 1
        self._runs_since = self._loop.time()
        if self.behaviour.writes:
            for disk in self.disks:
                self._owner.files.write(disk.name)

    @property
    def has_verifiable_disks(self) -> bool:
        """Whether stat(2) shows that its disks changed."""
        return all(disk.kind is DiskKind.FILE for disk in self.disks)

    # -- its network -----------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it can be reached."""
        number = int(self.uuid[:6], 16)
        return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"

    def has_run(self, seconds: float) -> bool:
        """Whether it has been running for so long."""
        return self.up and self._loop.time() >= self._runs_since + seconds

    # -- helpers ---------------------------------------------------------------------------------

    def _note(self, fate: Fate, by: By, image: int = 0, wrong: str = "") -> None:
        entry = Entry(self._loop.time(), self._owner.boot, self.id, fate, by, image, wrong)
        self._owner.chronicle.append(entry)

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason

    def _emit(self, kind: EventKind, detail: str = "unknown") -> None:
        self._send(GuestEvent(self.id, self.name, kind, detail, at=self._loop.time()))

    def _emit_qemu(self, event: str, cause: str = "", *, by_guest: bool = False) -> None:
        """An event of QEMU's monitor; other drivers have none."""
        now, kind = self._loop.time(), EventKind.MONITOR
        self._send(GuestEvent(self.id, self.name, kind, event, cause, by_guest, now))

    def _send(self, event: GuestEvent) -> None:
        if not self.behaviour.loses_events:
            self._owner.emit(self, event)

    def _later(self, seconds: float, deed: Callable[..., object], *args: object) -> None:
        """At its time, unless the guest went down or up in between."""
        if seconds != inf:
            life = self._life
            self._loop.call_later(seconds, self._do_if_same_life, life, deed, args)

    def _do_if_same_life(
        self, life: int, deed: Callable[..., object], args: tuple[object, ...]
    ) -> None:
        if self._life == life:
            deed(*args)
