"""What settings are called, in a section and in a [[guest]]: now, before, and nearly."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..model.near import nearest
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
        self.guest = _of_guest([row for row in rows if row.per_guest])
        profile = [row for row in rows if row.section == "shutdown" and row.per_profile]
        self.profile = _of_rows(profile)
        self.guest_profile = _of_guest([row for row in profile if row.per_guest])

    def _of_section(self, section: str) -> Names:
        return _of_rows([row for row in self._rows if row.section == section])

    def unknown(self, key: str, is_table: bool, *, section: str) -> str:
        """What to say of a key that its section does not have; "" is outside any section."""
        for row in self._rows:
            if row.section != section and key in row.names:
                return f"unknown here; it belongs {_where(row)}{_as(row, key)}"
        if is_table:
            return self._unknown_section(key, section)
        # Sections, and [[guest]], stand where keys outside sections do.
        others = () if section else ("guest", "profile", *filter(None, self.sections))
        return _unknown_key(key, self.sections[section], others, section)

    def _unknown_section(self, key: str, inside: str) -> str:
        if inside:
            return f"unknown section; there is none inside [{inside}]"
        there = [*filter(None, self.sections), "profile"]
        if near := nearest(key, [*there, "guest"]):
            return f"unknown section; did you mean {_header(near[0])}?"
        return f"unknown section; there are {', '.join(map(_header, there))} and [[guest]]"

    def unknown_in_profile(self, key: str, is_table: bool) -> str:
        """What to say of a key that a [profile.NAME] does not have."""
        return self._no_profile_has(key) or self._unknown_in(
            key, is_table, self.profile, "profile.NAME"
        )

    def unknown_in_guest_profile(self, key: str, is_table: bool) -> str:
        """What to say of a key that a [guest.profile.NAME] does not have."""
        if key in self.profile.settings or key in self.profile.old:
            return "is for the whole run, and belongs in [profile.NAME]"
        return self._no_profile_has(key) or self._unknown_in(
            key, is_table, self.guest_profile, "guest.profile.NAME"
        )

    def _no_profile_has(self, key: str) -> str:
        """What to say of a setting that no profile may have; empty for anything else."""
        for row in self._rows:
            if key in (*row.names, row.guest_key) and row.section != "shutdown":
                return f"a profile has settings of [shutdown] only; this one belongs {_where(row)}"
            if key in row.names and not row.per_profile:
                return "counts before it is known how the host goes down: it belongs in [shutdown]"
        return ""

    def _unknown_in(self, key: str, is_table: bool, names: Names, table: str) -> str:
        if is_table:
            return f"unknown section; there is none inside [{table}]"
        return _unknown_key(key, names, (), table)

    def unknown_for_guest(self, key: str, is_table: bool) -> str:
        """What to say of a key that a [[guest]] does not have."""
        for row in self._rows:
            if key in row.names and row.per_guest:
                return f'unknown here; in a [[guest]] it is called "{row.guest_key}"'
            if key in row.names:
                return "is for the whole run, and cannot differ from guest to guest"
        if key in _NAMES_OF_GUESTS:
            return 'unknown key; a guest is chosen by "match": its name, a pattern, or its UUID'
        if is_table:
            return "unknown section; there is none inside a [[guest]]"
        return _unknown_key(key, self.guest, ("match", "profile"), "[guest]")


def _of_rows(rows: Sequence[Setting]) -> Names:
    """By their keys in a section."""
    old = {old: row.key for row in rows for old in row.old_names}
    return Names({row.key: row for row in rows}, old)


def _of_guest(rows: Sequence[Setting]) -> Names:
    """By their keys in a [[guest]]."""
    old = {old: row.guest_key for row in rows for old in row.guest_old_names}
    return Names({row.guest_key: row for row in rows}, old)


#: What people write for "match".
_NAMES_OF_GUESTS = frozenset({"name", "names", "guest", "domain", "vm", "uuid", "id", "pattern"})


def _header(section: str) -> str:
    return {"guest": "[[guest]]", "profile": "[profile.NAME]"}.get(section, f"[{section}]")


def _where(row: Setting) -> str:
    return f"in [{row.section}]" if row.section else "above all [sections]"


def _as(row: Setting, key: str) -> str:
    return "" if key == row.key else f', and is now called "{row.key}"'


def _unknown_key(key: str, names: Names, others: Collection[str], section: str) -> str:
    near = _nearest(key, names, others)
    if not near:
        where = f"[{section}]" if section else "outside sections there"
        known = ", ".join([*others, *names.settings] if section else names.settings)
        return f"unknown key; {where} {'has' if section else 'is'} {known}"
    *before, last = (f'"{names.current(name)}"' + _once(name, names) for name in near)
    return f"unknown key; did you mean {' or '.join(filter(None, (', '.join(before), last)))}?"


def _nearest(key: str, names: Names, others: Collection[str]) -> list[str]:
    """The one that is spelt nearly so; where the key is a word of several names, all of these."""
    word = [name for name in names.settings if key in name.split("-")]
    known = [*names.settings, *names.old, *others]
    return word if len(word) > 1 else nearest(key, known)


def _once(name: str, names: Names) -> str:
    return f', once called "{name}"' if names.current(name) != name else ""
