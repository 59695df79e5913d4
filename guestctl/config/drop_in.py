"""What was imported, as a file of ours: each value with where it is from.  Pure."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .importing import Imported, Wanted
from .reading import Reading
from .setting import Setting
from .settings import GUEST_SETTINGS, SECTIONS, SETTINGS
from .toml import comment, quoted

#: Where it goes: files of the administrator's own can come before it, and after it.
NAME = "50-imported.toml"
_WIDTH = 98


@dataclass(frozen=True)
class Entry:
    """One setting of the file.

    guest: that of a [[guest]], by its match.  value: as TOML.  is_standing: it is so without the
    file as well, and stands there as a comment.
    """

    section: str
    guest: str
    key: str
    value: str
    origins: tuple[str, ...]
    is_standing: bool

    @property
    def plain(self) -> Any:
        """The value as JSON can hold it."""
        return tomllib.loads(f"value = {self.value}")["value"]


@dataclass(frozen=True)
class DropIn:
    """text: of the file.  remarks: what has no equal here, or counts otherwise."""

    text: str
    entries: tuple[Entry, ...]
    remarks: tuple[str, ...]

    @property
    def changes_something(self) -> bool:
        """Whether anything is different with it."""
        return not all(entry.is_standing for entry in self.entries)


def drop_in(
    found: Imported, before: Reading, after: Reading, sources: Sequence[str | Path]
) -> DropIn:
    """The file.  before, after: what other files say that are read before it, and after it."""
    entries = (*_of_sections(found, before), *_of_guests(found))
    remarks = (*found.remarks, *_overruled(found, after))
    text = "\n".join(_lines(entries, remarks, sources))
    return DropIn(f"{text}\n", entries, remarks)


def _of_sections(found: Imported, before: Reading) -> Iterator[Entry]:
    for section in SECTIONS:
        for wanted in (it for it in found.settings if it.section == section):
            row = _row(wanted)
            value = row.kind.parse(wanted.value)
            stands = getattr(before.config.sections[section], row.name)
            shown = row.kind.show(value)
            yield Entry(section, "", row.key, shown, wanted.origins, value == stands)


def _row(wanted: Wanted) -> Setting:
    return next(it for it in SETTINGS if (it.section, it.key) == (wanted.section, wanted.key))


def _of_guests(found: Imported) -> Iterator[Entry]:
    kinds = {row.guest_key: row.kind for row in GUEST_SETTINGS}
    for guest, settings in found.guests.items():
        for wanted in settings:
            kind = kinds[wanted.key]
            shown = kind.show(kind.parse(wanted.value))
            yield Entry("guest", guest, wanted.key, shown, wanted.origins, is_standing=False)


def _overruled(found: Imported, after: Reading) -> Iterator[str]:
    for wanted in found.settings:
        row = _row(wanted)
        place = after.origins.get((row.section, row.name))
        stands = getattr(after.config.sections[row.section], row.name)
        if place and stands != row.kind.parse(wanted.value):
            key = f"{row.section}.{row.key}".removeprefix(".")
            yield f"{place} is read later, and its {key} = {row.kind.show(stands)} counts"


def _lines(
    entries: Sequence[Entry], remarks: Sequence[str], sources: Sequence[str | Path]
) -> Iterator[str]:
    yield comment("Written by: guestctl import")
    yield from _wrapped(f"from {', '.join(map(str, sources)) or 'nothing'}")
    yield comment("A setting behind # is so without being told.")
    if remarks:
        yield "#"
        yield comment("What has no equal, or counts otherwise:")
    for remark in remarks:
        yield from _wrapped(f"- {remark}", "  ")
    yield from _settings(entries)


def _wrapped(text: str, further: str = "") -> Iterator[str]:
    """As comments of several lines; a line of a comment can hold any text."""
    lines = textwrap.wrap(text, _WIDTH, subsequent_indent=further, break_on_hyphens=False)
    yield from map(comment, lines)


def _settings(entries: Sequence[Entry]) -> Iterator[str]:
    table = ("", "")
    for entry in entries:
        if (entry.section, entry.guest) != table:
            table = (entry.section, entry.guest)
            yield from _header(entry)
        yield ""
        yield from map(comment, entry.origins)
        yield f"{'#' if entry.is_standing else ''}{entry.key} = {entry.value}"


def _header(entry: Entry) -> Iterator[str]:
    yield ""
    if entry.guest:
        yield "[[guest]]"
        yield f"match = {quoted(entry.guest)}"
    else:
        yield f"[{entry.section}]"
