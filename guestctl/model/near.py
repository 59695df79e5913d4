"""Words that may have been meant.  Pure."""

from __future__ import annotations

from collections.abc import Sequence


def nearest(word: str, among: Sequence[str]) -> list[str]:
    """The one of these that is most like it, if any is."""
    # For a slip alone: the service has no memory to spare for it (200 KiB, Python 3.11).
    from difflib import get_close_matches

    return get_close_matches(word, among, 1)
