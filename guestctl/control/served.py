"""guestctl inside the service: what is asked over the bus, for whoever asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..model.history import Actor
from .configured import load_config
from .local import Local


@dataclass(frozen=True)
class Served(Local):
    """A Local of a process that lives on."""

    async def let_go(self, hypervisors: Iterable[LibvirtHypervisor]) -> None:
        """Close them: there would be more of them with each question."""
        for hypervisor in hypervisors:
            await hypervisor.close()


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
