"""Paths of the objects on the bus, and what they mean.  Pure."""

from __future__ import annotations

import re

from ..control.interface import GUESTS, RUNS
from ..model.guest import GuestId

_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_ELEMENT = re.compile(r"[A-Za-z0-9_]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def element(text: str) -> str:
    """The text as an element of a path: every byte but letters and digits as _XX."""
    data = text.encode(errors="surrogateescape")
    return "".join(chr(b) if chr(b).isascii() and chr(b).isalnum() else f"_{b:02x}" for b in data)


def text_of(found: str) -> str | None:
    """The text of which this is the element; None where it is that of none."""
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), found)
    text = raw.encode("latin-1").decode(errors="surrogateescape") if _is_latin(raw) else None
    return text if text is not None and element(text) == found else None


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def connection_path(uri: str) -> str:
    """The node that has the guests of a connection below it."""
    return f"{GUESTS}/{element(uri)}"


def guest_path(guest: GuestId) -> str:
    """The guest's object."""
    return f"{connection_path(guest.uri)}/{element(guest.uuid)}"


def guest_of(path: str) -> GuestId | None:
    """The guest whose path it is, whether there is one or not; None for any other path."""
    parts = _below(path, GUESTS)
    if len(parts) != 2:
        return None
    uri, uuid = map(text_of, parts)
    return GuestId(uri, uuid) if uri and uuid else None


def connection_of(path: str) -> str | None:
    """The connection whose node it is; None for any other path."""
    parts = _below(path, GUESTS)
    return text_of(parts[0]) if len(parts) == 1 else None


def run_path(number: int) -> str:
    """The object of a run."""
    return f"{RUNS}/{number}"


def run_of(path: str) -> int | None:
    """The number of the run whose path it is; None for any other path."""
    parts = _below(path, RUNS)
    return int(parts[0]) if len(parts) == 1 and _NUMBER.fullmatch(parts[0]) else None


def _below(path: str, root: str) -> list[str]:
    """The elements that follow; none where there are none, or the path is another one's."""
    if not path.startswith(f"{root}/"):
        return []
    parts = path.removeprefix(f"{root}/").split("/")
    return parts if all(map(_ELEMENT.fullmatch, parts)) else []
