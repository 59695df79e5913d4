"""What goes wrong, told once and not at each try, whoever brings it about."""

from __future__ import annotations

import time
from collections.abc import Callable

#: What went wrong; the exception where it is a fault of ours.
Trouble = Callable[[str, BaseException | None], None]
#: Seconds after which the same is told again.
AGAIN_AFTER = 3600.0
_MOST_KINDS = 64


class OnceInAWhile:
    """Tells of each kind of trouble once an hour at most."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._told: dict[str, float] = {}

    def tell(self, kind: str, text: str, error: BaseException | None = None) -> None:
        """Tell it, unless that kind was told lately."""
        now = time.monotonic()
        self._told = {key: at for key, at in self._told.items() if now - at < AGAIN_AFTER}
        if kind not in self._told and len(self._told) < _MOST_KINDS:
            self._told[kind] = now
            self._trouble(text, error)

    def all_is_well(self) -> None:
        """Tell whatever comes next."""
        self._told.clear()
