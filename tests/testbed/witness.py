"""In which order guests did something, as their consoles tell while they are watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from . import console

#: How often the consoles are read, in seconds: below what any order is told by.
LOOK = 0.02


class Seen(NamedTuple):
    """A guest's console had one more of such lines: `press` of its button, `bye`, `boot`."""

    guest: str
    what: str


class Witness:
    """Watches consoles, by the names of their guests, until its block ends; seen is in order."""

    def __init__(self, consoles: Mapping[str, Path], look: float = LOOK) -> None:
        """look: how often the consoles are read; rarely where there are many for long."""
        self.seen: list[Seen] = []
        self._consoles, self._pause = consoles, look
        self._counted = {name: _counts(path) for name, path in consoles.items()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def place(self, guest: str, what: str) -> int:
        """How early it was seen first."""
        return self.seen.index(Seen(guest, what))

    def _watch(self) -> None:
        while not self._over.is_set():
            self._look()
            time.sleep(self._pause)

    def _look(self) -> None:
        for name, path in self._consoles.items():
            before, now = self._counted[name], _counts(path)
            self.seen += [Seen(name, what) for what in now if now[what] > before[what]]
            self._counted[name] = now


def _counts(path: Path) -> dict[str, int]:
    lines = console.lines(path)
    return {
        "press": console.presses(path),
        "bye": lines.count("bye"),
        "boot": len(console.boots(path)),
    }
