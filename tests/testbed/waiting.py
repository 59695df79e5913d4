"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.05
#: The longest pause between two looks, where to look takes longer than that.
LONGEST_PAUSE = 0.3


def wait_until(predicate: Callable[[], bool], timeout: float, what: str) -> None:
    """Return once predicate() holds; raise TimeoutError naming what was waited for.

    Whoever asks at great cost, as by a command, leaves as much time to what is waited for.
    """
    deadline = time.monotonic() + timeout
    begun = time.monotonic()
    while not predicate():
        asked = time.monotonic()
        if asked >= deadline:
            raise TimeoutError(f"no {what} within {timeout:g} s")
        time.sleep(min(max(POLL_SECONDS, asked - begun), LONGEST_PAUSE))
        begun = time.monotonic()
