"""Writing TOML: strings and comments."""

from __future__ import annotations


def quoted(text: str) -> str:
    """The text as a TOML string, with nothing in it that a terminal would obey."""
    return '"' + _visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def comment(text: str) -> str:
    """The text as a comment of one line: the name of a file may hold anything."""
    return f"# {_visible(text)}"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
