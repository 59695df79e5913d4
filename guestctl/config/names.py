"""What settings are called, in a section and in a [[guest]]: now, before, and nearly."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .settings import Setting


@dataclass(frozen=True)
class Names:
    """What the settings of one table are called.

    settings are by their current names; old has those of before, with the current ones for them.
    """

    settings: Mapping[str, Setting]
    old: Mapping[str, str]

    def current(self, key: str) -> str:
        """The key, or what it is called now."""
        return self.old.get(key, key)

    def spelling(self, key: str, keys: Iterable[str]) -> str:
        """Which of these keys counts for the setting of key: its current name, or the first."""
        name = self.current(key)
        found = [other for other in keys if self.current(other) == name]
        return name if name in found else found[0]


class Vocabulary:
    """All names of a table of settings."""

    def __init__(self, rows: Sequence[Setting]) -> None:
        self._rows = rows
        self.sections = {row.section: self._of_section(row.section) for row in rows}
        per_guest = [row for row in rows if row.per_guest]
        self.guest = Names(
            {row.guest_key: row for row in per_guest},
            {old: row.guest_key for row in per_guest for old in row.guest_old_names},
        )

    def _of_section(self, section: str) -> Names:
        rows = [row for row in self._rows if row.section == section]
        old = {old: row.key for row in rows for old in row.old_names}
        return Names({row.key: row for row in rows}, old)

    def unknown(self, key: str, section: str) -> str:
        """What to say of a key that its section does not have; "" is outside any section."""
        for row in self._rows:
            if row.section != section and key in row.names:
                return f"unknown here; it belongs {_where(row)}{_as(row, key)}"
        # Sections, and [[guest]], stand where keys outside sections do.
        others = () if section else ("guest", *filter(None, self.sections))
        return _nearest(key, self.sections[section], others)

    def unknown_for_guest(self, key: str) -> str:
        """What to say of a key that a [[guest]] does not have."""
        for row in self._rows:
            if key in row.names and row.per_guest:
                return f'unknown here; in a [[guest]] it is called "{row.guest_key}"'
            if key in row.names:
                return "is for the whole run, and cannot differ from guest to guest"
        return _nearest(key, self.guest, ("match",))


def _where(row: Setting) -> str:
    return f"in [{row.section}]" if row.section else "above all [sections]"


def _as(row: Setting, key: str) -> str:
    return "" if key == row.key else f', and is now called "{row.key}"'


def _nearest(key: str, names: Names, others: Collection[str]) -> str:
    near = difflib.get_close_matches(key, [*names.settings, *names.old, *others], 1)
    if not near:
        return "unknown key"
    name = names.current(near[0])
    once = f', once called "{near[0]}"' if name != near[0] else ""
    return f'unknown key; did you mean "{name}"{once}?'
