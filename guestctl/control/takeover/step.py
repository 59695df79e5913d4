"""A step of a takeover: what there was, how it is done, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...host.unit_files import SystemctlFailed
from ..failure import RequestError

#: What there was before a step, as JSON can hold it.
Before = Mapping[str, Any]
#: Tells the user a line of what a step does, or of what is to be known of it.
Say = Callable[[str], None]


class StepFailed(Exception):
    """It could not be done, or undone; the text reads "cannot …: cause", with what to do."""


#: What can keep a step from being done or undone; all else is a fault of guestctl's.
TROUBLE = (StepFailed, SystemctlFailed, RequestError, OSError)


def in_words(error: BaseException) -> str:
    """What went wrong."""
    if isinstance(error, OSError):
        return f"cannot use {error.filename}: {error.strerror}"
    return str(error) or repr(error)


@dataclass(frozen=True)
class Step:
    """One step.  All of its parts but `do`, `undo` and `hand_back` touch nothing, and each can be
    called again, also where it was killed at any point before.  Each may raise what TROUBLE has.

    name: in the record; it stays.  words, back: what `do` and `undo` do, as in "switch X off"; back
    is empty for one that has nothing to undo.
    look: what there is before; it is kept until the step is undone.
    is_done: whether the host is as `do` leaves it.
    do, undo: raise StepFailed.  undo gets what `look` said; None where nobody took over, and
    guestctl was switched on by hand: then what guestctl's users need is undone all the same.
    hand_back: in place of `undo` where guestctl is switched off for good, and not since a later
    step failed; it is called whether the takeover has found anything to do or not.
    is_back: whether the host is as that leaves it; if it is not said, where it is not done.
    """

    name: str
    words: str
    back: str
    look: Callable[[], Before]
    is_done: Callable[[], bool]
    do: Callable[[Say], None]
    undo: Callable[[Before | None, Say], None]
    hand_back: Callable[[Before | None, Say], None] | None = None
    is_back: Callable[[Before | None], bool] | None = None

    def back_already(self, before: Before | None) -> bool:
        """Whether a handback has nothing to do."""
        return self.is_back(before) if self.is_back else not self.is_done()
