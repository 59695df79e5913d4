"""One configuration file that is TOML, checked against the table of settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..model.options import PROFILES_OF_STOPS
from ..model.units import BadValue
from .kinds import unfit
from .lines import KeyPath, shown
from .names import Names, Vocabulary
from .problems import Message, Notice, Place, Problem
from .settings import SECTIONS, Setting


class Value(NamedTuple):
    """What was set, and where."""

    value: Any
    place: Place


#: What a table sets, by the names of fields.
Values = Mapping[str, Value]


class GuestTable(NamedTuple):
    """What a [[guest]] sets; profiles: by their names."""

    place: Place
    match: Value
    values: Values
    profiles: Mapping[str, Values]


#: What is said of a key that is unknown, and whether it is that of a table.
Unknown = Callable[[str, bool], str]
#: What is a table at the top of a file.
_TABLES = {*filter(None, SECTIONS), "guest", "profile"}
_NAME_OF_PROFILE = re.compile("[A-Za-z0-9_-]+")


class CheckedFile:
    """What a file sets, and what there is to say of it, by its lines."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        path: Path,
        lines: Mapping[KeyPath, int],
        table: Mapping[str, Any],
    ) -> None:
        self.sections: dict[str, Values] = {}
        self.profiles: dict[str, Values] = {}
        self.guests: list[GuestTable] = []
        self.problems: list[Problem] = []
        self.notices: list[Notice] = []
        self._vocabulary = vocabulary
        self._path = path
        self._lines = lines
        self._take(table)
        self.problems.sort(key=_by_line)
        self.notices.sort(key=_by_line)

    def _take(self, table: Mapping[str, Any]) -> None:
        outside = {key: value for key, value in table.items() if key not in _TABLES}
        self._section("", (), outside)
        for section in (name for name in SECTIONS if name and name in table):
            if isinstance(table[section], dict):
                self._section(section, (section,), table[section])
            else:
                self._problem((section,), f"expected a table: [{section}]")
        names, unknown = self._vocabulary.profile, self._vocabulary.unknown_in_profile
        self.profiles = self._profiles((), table, names, unknown)
        self._guest_tables(table.get("guest", []))

    def _section(self, section: str, path: KeyPath, table: Mapping[str, Any]) -> None:
        unknown = partial(self._vocabulary.unknown, section=section)
        names = self._vocabulary.sections[section]
        self.sections[section] = self._values(path, table, names, unknown)

    # Guests

    def _guest_tables(self, tables: Any) -> None:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            message = "expected an array of tables: [[guest]], in double brackets"
            self._problem(("guest",), message)
            return
        for index, table in enumerate(tables):
            self._guest(("guest", index), table)

    def _guest(self, path: KeyPath, table: Mapping[str, Any]) -> None:
        vocabulary = self._vocabulary
        match = self._match(path, table)
        settings = {key: value for key, value in table.items() if key not in ("match", "profile")}
        values = self._values(path, settings, vocabulary.guest, vocabulary.unknown_for_guest)
        names, unknown = vocabulary.guest_profile, vocabulary.unknown_in_guest_profile
        profiles = self._profiles(path, table, names, unknown)
        if match:
            self.guests.append(GuestTable(self._place(path), match, values, profiles))

    def _match(self, path: KeyPath, table: Mapping[str, Any]) -> Value | None:
        own = (*path, "match")
        place = self._place(own if "match" in table else path)
        match = table.get("match")
        if isinstance(match, str) and match:
            return Value(match, place)
        message = 'expected a name, a pattern such as "db-*", or a UUID'
        self.problems.append(Problem(place, shown(own), message))
        return None

    # Profiles

    def _profiles(
        self, path: KeyPath, table: Mapping[str, Any], names: Names, unknown: Unknown
    ) -> dict[str, Values]:
        """What each profile of a [[guest]], or of none, sets."""
        tables, own = table.get("profile", {}), (*path, "profile")
        if not isinstance(tables, dict):
            self._problem(own, f"expected tables with names: {_header(path, 'reboot')}, for one")
            return {}
        return {
            name: self._values((*own, name), tables[name], names, unknown)
            for name in tables
            if self._is_profile((*own, name), tables[name], names)
        }

    def _is_profile(self, path: KeyPath, table: Any, names: Names) -> bool:
        name = str(path[-1])
        if not _NAME_OF_PROFILE.fullmatch(name):
            text = 'the name of a profile is made of letters, digits, "-" and "_"'
        elif not isinstance(table, dict) and names.current(name) in names.settings:
            text = f"settings stand in a profile with a name: {_header(path, 'reboot')}, for one"
        elif not isinstance(table, dict):
            text = f"expected a table: {_header(path, name)}"
        else:
            self._say_of_stops(path, name)
            return True
        self._problem(path, text)
        return False

    def _say_of_stops(self, path: KeyPath, name: str) -> None:
        counts = PROFILES_OF_STOPS.get(name, name)
        if counts != name:
            text = f"{name} counts as {counts}: this one is used with --profile only"
            self.notices.append(Notice(self._place(path), shown(path), text))

    # Settings

    def _values(
        self,
        path: KeyPath,
        table: Mapping[str, Any],
        names: Names,
        unknown: Unknown,
    ) -> dict[str, Value]:
        """What one table sets, by the names of fields; the rest is told."""
        found: dict[str, Value] = {}
        for key, value in table.items():
            own = (*path, key)
            setting = names.settings.get(names.current(key))
            if not setting:
                self._problem(own, unknown(key, _is_table(value)))
            elif self._applies(own, names.current(key), names.spelling(key, table)):
                found.update(self._value(own, setting, value))
        return found

    def _applies(self, path: KeyPath, name: str, spelling: str) -> bool:
        """Whether a key is the spelling that counts for its setting; an old one is told."""
        key = path[-1]
        if key != spelling:
            beside = self._place((*path[:-1], spelling))
            self._problem(path, f'is now called "{name}", but "{spelling}" is set too: {beside}')
        elif key != name:
            notice = Notice(self._place(path), shown(path), f'is now called "{name}"')
            self.notices.append(notice)
        return key == spelling

    def _value(self, path: KeyPath, setting: Setting, value: Any) -> Mapping[str, Value]:
        try:
            parsed = setting.kind.parse(value)
        except BadValue as error:
            self._problem(path, unfit(setting.kind, value, error))
            return {}
        return {setting.name: Value(parsed, self._place(path))}

    def _place(self, path: KeyPath) -> Place:
        return Place(self._path, self._lines.get(path))

    def _problem(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self._place(path), shown(path), message))


def _by_line(message: Message) -> int:
    return message.place.line or 0


def _header(path: KeyPath, name: str) -> str:
    """Of a profile of that name, where the path leads; names in it are those of tables."""
    return f"[guest.profile.{name}]" if path[:1] == ("guest",) else f"[profile.{name}]"


def _is_table(value: Any) -> bool:
    """Whether it is a [table], or an array of them."""
    return isinstance(value, dict) or bool(
        value and isinstance(value, list) and all(isinstance(item, dict) for item in value)
    )
