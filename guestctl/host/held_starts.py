"""Notes for libvirt's hook (etc/libvirt/hooks): which guests others must not start now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from ..model.record import GuestRecord
from .storage import save_image

_FOLDER = "held"


class HeldStarts:
    """Guests that are held because of their save, a note each, in the run folder.

    In memory only, as that folder is: where guestctl does not run in a boot, nothing is refused.
    Notes are a help, and never worth failing for.
    """

    def __init__(self, folder: Path) -> None:
        """folder: the run folder (machine.run_folder)."""
        self._folder = folder / _FOLDER
        self._shown: dict[str, str] | None = None

    def show(self, held: Iterable[GuestRecord]) -> None:
        """From now on the start of these guests, and of no others, is refused."""
        notes = {record.id.uuid: note for record in held if (note := _note(record))}
        with contextlib.suppress(OSError):
            if notes != self._shown or self._names() != notes.keys():
                self._replace(notes)
                self._shown = notes

    def _names(self) -> set[str]:
        """Of the notes that are there: another process may have removed them."""
        try:
            return set(os.listdir(self._folder))
        except FileNotFoundError:
            return set()

    def _replace(self, notes: dict[str, str]) -> None:
        if notes:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif not self._folder.exists():
            return
        for name in self._names() - notes.keys():
            (self._folder / name).unlink()
        for uuid, note in notes.items():
            new = self._folder / f"{uuid}.new"
            new.write_text(note, "utf-8", "surrogateescape")
            new.rename(self._folder / uuid)


def _note(record: GuestRecord) -> str:
    """The image, while which is there the start is refused, and why; a line each.

    Empty for a guest whose image is not known: libvirt has hooks for QEMU's of the system.
    """
    image = save_image(record.id.uri, record.name)
    if image is None or "\n" in record.name or record.hold is None:
        return ""
    reason = " ".join(record.hold.split())
    return f"{image}\nguestctl refuses to start {record.name}: {reason}\n"
