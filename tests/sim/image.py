"""The managed-save files of one guest: the one that is there, and those that were."""

from __future__ import annotations

from dataclasses import dataclass, field

from .behaviour import Image
from .files import Content


@dataclass(frozen=True)
class SaveFile:
    """One save: of which of the guest's lives, and what its disks held then, if they were there."""

    number: int
    life: int
    disks: tuple[Content, ...]
    there: bool


@dataclass
class Images:
    """kind is what libvirt would make of the file that is there now.

    known is libvirt's flag for it, set by a save and when libvirtd starts.
    made tells one file from the next; stale_file: of a save that somebody cut off.
    """

    kind: Image = Image.NONE
    known: bool = False
    made: int = 0
    number: int = 0
    boot: int = 0
    files: dict[int, SaveFile] = field(default_factory=dict)
    consumed: list[int] = field(default_factory=list)

    def make(self, life: int, disks: tuple[Content, ...], there: bool, kind: Image) -> None:
        """A new file in the place of the old one."""
        self.made += 1
        self.number, self.kind, self.known = self.made, kind, True
        self.files[self.number] = SaveFile(self.number, life, disks, there)

    def consume(self, life: int, disks: tuple[Content, ...], boot: int) -> str:
        """The guest goes on from it; returns what is wrong about that, if anything."""
        file = self.files.get(self.number)
        wrong = []
        if file and file.life != life:
            wrong.append("it ran on after this save")
        if file and file.disks != disks:
            wrong.append("its disks changed after this save")
        if self.number in self.consumed:
            wrong.append("it was resumed from this save before")
        self.consumed.append(self.number)
        self.kind, self.known, self.boot = Image.NONE, False, boot
        return "; ".join(wrong)

    def is_true(self, life: int, disks: tuple[Content, ...]) -> bool:
        """Whether the guest could go on from it as if nothing had been."""
        file = self.files.get(self.number)
        used = self.number in self.consumed
        return file is not None and not used and (file.life, file.disks) == (life, disks)

    def drop(self) -> None:
        """The file is removed."""
        self.kind, self.known = Image.NONE, False

    def put_back(self) -> None:
        """The file that the guest was last resumed from is there again, the very same."""
        if self.consumed and self.kind is Image.NONE:
            self.number, self.kind = self.consumed[-1], Image.COMPLETE

    def lose_unlinks(self, boot: int) -> None:
        """At a power cut: the file removed in this boot may still be there afterwards."""
        if self.boot == boot:
            self.put_back()
