"""The grammar of verbs around taking a host over."""

from __future__ import annotations

from .grammar import Verbs, json_option


def add_taking_over_verbs(verbs: Verbs) -> None:
    """Beside those that act on guests."""
    text = "show every reason why the next shutdown or boot would not go as configured"
    json_option(verbs.add("doctor", text))
