"""Where saves and the ledger are, and on what."""

from __future__ import annotations

from dataclasses import dataclass

from .host_state import NotKnown


@dataclass(frozen=True)
class FileSystem:
    """One that is mounted: where, of which kind ("ext4", "tmpfs"), and from what.

    layer: of an overlay, the kind of file system that takes what is written; "" where that is not
    to be seen.
    """

    mount: str
    kind: str
    source: str = ""
    layer: str = ""

    def __str__(self) -> str:
        layer = f", which writes to {self.layer}" if self.layer else ""
        return f"{self.kind} mounted on {self.mount}{layer}"


@dataclass(frozen=True)
class Folder:
    """real: its path without links.  file_system: None where it is not known.  free: bytes that
    may be written there; None where that is not known."""

    path: str
    real: str
    file_system: FileSystem | None
    free: int | None = None

    def __str__(self) -> str:
        led = "" if self.real == self.path else f", which leads to {self.real}"
        return f"{self.path}{led}"


@dataclass(frozen=True)
class StraySave:
    """A managed save that belongs to no guest.  size: bytes.  uuid: of the guest that was saved;
    "" where the file does not tell."""

    path: str
    size: int
    uuid: str


@dataclass(frozen=True)
class HostFolders:
    """saves: by URI, where that is known.  ledger, copy: of the ledger and its second copy.

    useless: why the copy is of no use; "" where it is, or where there is none yet.
    strays: saves of nobody.
    """

    saves: tuple[tuple[str, Folder], ...] = ()
    ledger: Folder | None = None
    copy: Folder | None = None
    useless: str = ""
    strays: tuple[StraySave, ...] | NotKnown = ()
