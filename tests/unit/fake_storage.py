"""Storage as tests of saves set it: files that change, are lost, or do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from guestctl.decisions.staleness import Comparison, to_text
from guestctl.model.guest import Disk, DiskKind, DomainInfo, GuestFacts
from guestctl.model.save import Found, PastSave, SaveState, Stamp
from guestctl.runs.context import LOOK_LIMIT
from guestctl.runs.save_check import examine
from tests.sim.loop import run
from tests.unit.makers import BOOT, off

A, B = Disk(DiskKind.FILE, "/a"), Disk(DiskKind.FILE, "/b")
IMAGE = Stamp(Disk(DiskKind.FILE, "/web.save"), Found.PRESENT, 1, 10, 100)
SEEN = (Stamp(A, Found.PRESENT, 2, 20, 200), Stamp(B, Found.PRESENT, 3, 30, 300))
FOLDER = Stamp(Disk(DiskKind.FILE, "/save"), Found.PRESENT, 9)
WEB = off(saved=True, info=DomainInfo(disks=(A, B)))
WAIT = 60.0

Change = Callable[["FakeStorage"], None]


class FakeStorage:
    """Files as the test has them; hangs on what it is told not to answer."""

    def __init__(self) -> None:
        self.files = {stamp.disk: stamp for stamp in SEEN}
        self.save: Stamp | None = IMAGE
        self.save_folder: Stamp | None = FOLDER
        self.hangs: set[str] = set()
        self.looks = 0
        self.later: dict[int, Change] = {}

    async def stamps(self, disks: Iterable[Disk]) -> dict[Disk, Stamp]:
        await self._answer("stamps")
        return {disk: self.files.get(disk) or _unknown(disk) for disk in disks}

    async def image(self, guest: GuestFacts) -> Stamp | None:
        self.looks += 1
        if self.looks in self.later:
            self.later.pop(self.looks)(self)
        await self._answer("image")
        return self.save

    async def content(self, guest: GuestFacts) -> str:
        await self._answer("content")
        return self.save.content if self.save else ""

    async def folder(self, guest: GuestFacts) -> Stamp | None:
        await self._answer("folder")
        return self.save_folder

    async def present(self, names: Iterable[str]) -> frozenset[str]:
        await self._answer("present")
        return frozenset(disk.name for disk in self.files) & frozenset(names)

    async def room(self, uri: str) -> int | None:
        await self._answer("room")
        return None

    async def _answer(self, what: str) -> None:
        if what in self.hangs:
            await asyncio.sleep(10 * LOOK_LIMIT)


def _unknown(disk: Disk) -> Stamp:
    return Stamp(disk, Found.MISSING if disk.kind is DiskKind.FILE else Found.UNVERIFIABLE)


def past(state: SaveState = SaveState.DONE, **differs: str | None) -> PastSave:
    """A save that guestctl saw being made, but for what differs."""
    says: dict[str, str | None] = {"image": to_text([IMAGE]), "stamps": to_text(SEEN), "boot": None}
    says |= differs
    return PastSave(state, says["image"], says["stamps"], says["boot"])


def look(storage: FakeStorage, *saves: PastSave, wait: float = 0.0) -> tuple[Comparison, float]:
    """What examining brings of these saves, newest first, and how long that took."""

    async def main() -> tuple[Comparison, float]:
        found = await examine(storage, WEB, saves, BOOT, wait)
        return found, asyncio.get_running_loop().time()

    return run(main())


def setting(disk: Disk, **differs: Any) -> Change:
    """A change of one disk."""

    def change(storage: FakeStorage) -> None:
        seen = storage.files[disk]
        storage.files[disk] = replace(seen, found=Found.PRESENT, **differs)

    return change


def losing(disk: Disk, found: Found = Found.MISSING) -> Change:
    """A disk that cannot be seen."""

    def change(storage: FakeStorage) -> None:
        storage.files[disk] = Stamp(disk, found)

    return change


def with_image(image: Stamp | None) -> Change:
    """Another image, or none."""

    def change(storage: FakeStorage) -> None:
        storage.save = image

    return change


def hanging(what: str) -> Change:
    """A file system that does not answer."""
    return lambda storage: storage.hangs.add(what)


def both(one: Change, other: Change) -> Change:
    """One change after the other."""

    def change(storage: FakeStorage) -> None:
        one(storage)
        other(storage)

    return change


def nothing(_storage: FakeStorage) -> None:
    """All is as before."""


NO_IMAGE = Stamp(IMAGE.disk, Found.MISSING)
