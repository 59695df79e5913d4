"""A row of the table of settings, and how a field of a class is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .kinds import Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    key: as it is written in TOML.  name: that of the field, which no other setting of guests has.
    per_guest: whether a [[guest]] may override it; guest_key: what it is called there.
    per_profile: whether a profile may.
    old_names, old_guest_keys: keys of before, which are still read.
    """

    section: str
    name: str
    key: str
    kind: Kind[Any]
    default: Any
    meaning: str
    per_guest: bool
    guest_key: str
    old_names: tuple[str, ...] = ()
    old_guest_keys: tuple[str, ...] = ()
    per_profile: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What it is and was called in its section."""
        return (self.key, *self.old_names)

    @property
    def guest_old_names(self) -> tuple[str, ...]:
        """What it was called in a [[guest]]: the same as in its section, unless told otherwise."""
        shared = self.old_names if self.guest_key == self.key else ()
        return self.old_guest_keys or shared


def _key(name: str) -> str:
    return name.replace("_", "-")


def setting(
    kind: Kind[T],
    default: T,
    meaning: str,
    *,
    key: str = "",
    per_guest: bool = True,
    guest_key: str = "",
    old_names: tuple[str, ...] = (),
    old_guest_keys: tuple[str, ...] = (),
    per_profile: bool = True,
) -> T:
    """A field of a class of settings; see Setting for what is told of it."""
    metadata = {
        "kind": kind,
        "meaning": meaning,
        "key": key,
        "per_guest": per_guest,
        "guest_key": guest_key,
        "old_names": old_names,
        "old_guest_keys": old_guest_keys,
        "per_profile": per_profile,
    }
    # The field stands where its value will be: dataclasses type field() the same way.
    value: T = field(default=default, metadata=metadata)
    return value


def rows(section: str, table: type) -> Iterator[Setting]:
    """The settings of one class of this module."""
    for row in fields(table):
        meta: Mapping[str, Any] = row.metadata
        key = meta["key"] or _key(row.name)
        columns = {**meta, "key": key, "guest_key": meta["guest_key"] or key}
        yield Setting(section, row.name, default=row.default, **columns)
