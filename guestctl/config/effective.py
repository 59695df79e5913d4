"""The whole configuration in effect, and where each value of it was set."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .config import Config, GuestOverride, Profiles
from .problems import Place
from .reading import GuestOrigin, Places, Reading
from .settings import (
    GUEST_PROFILE_SETTINGS,
    GUEST_SETTINGS,
    PROFILE_SETTINGS,
    SECTIONS,
    SETTINGS,
    Setting,
)
from .toml import comment, quoted


@dataclass(frozen=True)
class Entry:
    """One value, as TOML; place is None for a default."""

    key: str
    value: str
    place: Place | None

    @property
    def plain(self) -> Any:
        """The value as JSON can hold it."""
        return tomllib.loads(f"value = {self.value}")["value"]


@dataclass(frozen=True)
class Table:
    """A section, or one [[guest]] with its match; "" is what stands outside any section.

    A profile is the section profile.NAME, or that of a guest guest.profile.NAME.
    """

    section: str
    entries: tuple[Entry, ...]
    place: Place | None = None
    match: str | None = None


def tables(found: Reading) -> Iterator[Table]:
    """Every section with every setting, then each profile, then each [[guest]] with its own."""
    for section in SECTIONS:
        rows = [row for row in SETTINGS if row.section == section]
        yield Table(section, tuple(_entry(found, row) for row in rows))
    yield from _profiles(found.config.profiles, found.profile_origins)
    for override, origin in zip(found.config.guests, found.guest_origins, strict=True):
        entries = tuple(_guest_entries(override, origin))
        yield Table("guest", entries, origin.table, override.match)
        yield from _profiles(override.profiles, origin.profiles, override.match)


def _profiles(
    profiles: Profiles, origins: Mapping[str, Places], match: str | None = None
) -> Iterator[Table]:
    """Those of the host, or of the [[guest]] with this match."""
    for name, values in profiles.items():
        section = f"profile.{name}" if match is None else f"guest.profile.{name}"
        entries = [
            replace(entry, place=origins[name][row.name])
            for row, entry in _profile_entries(values, of_guest=match is not None)
        ]
        yield Table(section, tuple(entries), match=match)


def _profile_entries(
    values: Mapping[str, Any], *, of_guest: bool
) -> Iterator[tuple[Setting, Entry]]:
    """Without their places."""
    for row in GUEST_PROFILE_SETTINGS if of_guest else PROFILE_SETTINGS:
        if row.name in values:
            key = row.guest_key if of_guest else row.key
            yield row, Entry(key, row.kind.show(values[row.name]), None)


def _entry(found: Reading, row: Setting) -> Entry:
    values = found.config.sections[row.section]
    place = found.origins.get((row.section, row.name))
    return Entry(row.key, row.kind.show(getattr(values, row.name)), place)


def _guest_entries(override: GuestOverride, origin: GuestOrigin) -> Iterator[Entry]:
    places = {row.guest_key: origin.values.get(row.name) for row in GUEST_SETTINGS}
    for entry in _override_entries(override):
        yield replace(entry, place=places.get(entry.key, origin.match))


def _override_entries(override: GuestOverride) -> Iterator[Entry]:
    """Without their places."""
    yield Entry("match", quoted(override.match), None)
    for row in GUEST_SETTINGS:
        if row.name in override.values:
            yield Entry(row.guest_key, row.kind.show(override.values[row.name]), None)


def values(config: Config) -> dict[str, str]:
    """Every value in effect as TOML, by its key with its section."""
    shown = {}
    for row in SETTINGS:
        value = getattr(config.sections[row.section], row.name)
        shown[f"{row.section}.{row.key}".removeprefix(".")] = row.kind.show(value)
    shown |= _profile_values("", config.profiles, of_guest=False)
    for number, override in enumerate(config.guests, 1):
        for entry in _override_entries(override):
            shown[f"guest[{number}].{entry.key}"] = entry.value
        shown |= _profile_values(f"guest[{number}].", override.profiles, of_guest=True)
    return shown


def _profile_values(prefix: str, profiles: Profiles, *, of_guest: bool) -> dict[str, str]:
    return {
        f"{prefix}profile.{name}.{entry.key}": entry.value
        for name, values in profiles.items()
        for _, entry in _profile_entries(values, of_guest=of_guest)
    }


def differences(files: Mapping[str, str], used: Mapping[str, str]) -> list[str]:
    """What values() of the files have otherwise than those of what is in use."""
    return [
        f"{key} is {files.get(key, 'not set')} in the files, {used.get(key, 'not set')} in use"
        for key in _differing(files, used)
    ]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is otherwise in the values() of after, for whoever reads a log."""
    return [
        f"{key} is {after.get(key, 'not set any more')}, was {before.get(key, 'not set')}"
        for key in _differing(before, after)
    ]


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]


def guest_table(name: str, entries: Iterable[Entry]) -> Table:
    """All settings of a guest, as a [[guest]] that is for it alone."""
    return Table("guest", (Entry("match", quoted(name), None), *entries), None, name)


def as_toml(found: Reading) -> str:
    """The configuration as one file, which read back means the same."""
    return "\n".join("".join(_lines(table)) for table in tables(found))


def table_toml(table: Table, about: str = "") -> str:
    """One table; about: a remark for its head, instead of the place where it stands."""
    return "".join(_lines(table, about))


def _lines(table: Table, about: str = "") -> Iterator[str]:
    if table.section == "guest":
        yield f"[[guest]]  {comment(about or str(table.place))}\n"
    elif table.section:
        yield f"[{table.section}]\n"
    for entry in table.entries:
        is_default = entry.place is None and entry.key != "match"
        origin = "default" if is_default else str(entry.place or "as asked for")
        yield f"{entry.key} = {entry.value}  {comment(origin)}\n"


def as_json(found: Reading) -> list[dict[str, Any]]:
    """The same as a list of values, for programs."""
    return [value for table in tables(found) for value in table_json(table)]


def table_json(table: Table) -> list[dict[str, Any]]:
    """The same of one table."""
    return [_value_json(table, entry) for entry in table.entries]


def _value_json(table: Table, entry: Entry) -> dict[str, Any]:
    place = entry.place
    return {
        "section": table.section,
        "key": entry.key,
        "value": entry.plain,
        "file": str(place.file) if place and not place.guest else None,
        "line": place.line if place else None,
        "match": table.match,
        "metadata": bool(place and place.guest),
    }
