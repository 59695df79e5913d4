"""guestctl inside the service: what is asked over the bus, for whoever asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..host import machine, tasks
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..ledger.file import TROUBLE, connect, connect_to_read
from ..ledger.ledger import Ledger
from ..model.history import Actor
from .configured import load_config
from .local import Local

T = TypeVar("T")

#: With so many calls that have not returned for so many seconds libvirt is not asked any more until
#: some have: each has a thread of the service, and a file.
MOST_HANGING, HANGS = 8, 60.0


@dataclass(frozen=True)
class Served(Local):
    """A Local of a process that lives on."""

    @property
    def in_vain(self) -> str:
        """See Local."""
        count = tasks.hanging(HANGS)
        if count < MOST_HANGING:
            return ""
        return f"it hangs: {count} calls of before have not returned"

    async def let_go(self, hypervisors: Iterable[LibvirtHypervisor]) -> None:
        """Close them: there would be more of them with each question."""
        for hypervisor in hypervisors:
            await hypervisor.close()

    def _ask_ledger(self, question: Callable[[Ledger], T], default: T) -> T:
        """By SQLite alone, and never by a copy of the file, as commands do in need: a process that
        closes a file of which it has locks loses all of them (sqlite.org/howtocorrupt.html, 2.2),
        and the next command to end would take the WAL from under the service."""
        path = self.ledger_path
        try:
            with contextlib.closing(
                connect_to_read(path) if path.exists() else connect(None)
            ) as db:
                return question(Ledger(db, machine.now))
        except TROUBLE as error:
            self.complain(f"cannot read the ledger {path}: {error}")
            return default


@dataclass(frozen=True)
class Opening:
    """Makes what questions are answered with, anew for each: the files are as they are then.

    file: that one alone, instead of the host's.  uris: the connections that the service looks
    after.  Blocks for as long as the disk does.
    """

    file: Path | None
    uris: Callable[[], tuple[str, ...]]

    def __call__(self, complain: Callable[[str], None], asked_by: Actor | None = None) -> Served:
        """complain: see Local.  asked_by: None where the service asks for itself.

        Mistakes in the files are in the answer of `status`: a command that asks has read the files
        as well, and would tell of each twice.
        """
        loaded = load_config(self.file, lambda _: None, strict=False)
        makeshift = bool(loaded.problems)
        return Served(
            loaded.config,
            self.uris(),
            complain,
            makeshift=makeshift,
            asked_by=asked_by,
            logs=True,
        )
