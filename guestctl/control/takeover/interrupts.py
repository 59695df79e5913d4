"""Being told to end, as one exception, once; and not while something is undone."""

from __future__ import annotations

import signal
from types import FrameType

_TOLD_BY = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C, or sent SIGTERM; an event loop lets it out as such."""

    def __str__(self) -> str:
        return "told to end"


class Interrupts:
    """In the main thread."""

    def __init__(self) -> None:
        self._held_off = False

    def take(self) -> None:
        """From now on the first signal raises Interrupted; a terminal that goes ends nothing."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: None)
        for number in _TOLD_BY:
            signal.signal(number, self._told)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        if not self._held_off:
            self._held_off = True  # what it brings about is not to be interrupted by a second one
            raise Interrupted

    def hold_off(self) -> None:
        """From now on a signal does nothing: what is undone has limits of its own."""
        self._held_off = True
