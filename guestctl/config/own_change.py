"""What a person wants changed of a guest's own settings: texts to a change.  Pure.

Values are written as people type them: without TOML's quotes and brackets or with them, lists
with commas or blanks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.guest import OwnSetting
from ..model.policy_change import PolicyChange
from ..model.units import BadValue
from .kinds import Kind, from_text, to_text, unfit
from .own import known, spellings

#: In place of a key: everything that there is.
ALL = "all"


@dataclass(frozen=True)
class Wishes:
    """Checked as far as that goes without the guest.

    given: settings with their values as XML has them.  dropped: keys that are not to be set.
    """

    given: tuple[OwnSetting, ...]
    dropped: tuple[str, ...]

    def change(self, policy: Iterable[OwnSetting]) -> PolicyChange:
        """The change for a guest with this policy.  BadValue for a key that is no setting, and
        that it does not have either."""
        there = {one.key for one in policy}
        if problems := list(_unknown(self.dropped, there)):
            raise BadValue("\n".join(problems))
        keys = [*(one.key for one in self.given), *self.dropped]
        taken = frozenset(name for key in keys for name in spellings(key))
        return PolicyChange(self.given, taken, ALL in self.dropped)

    def not_there(self, policy: Iterable[OwnSetting]) -> tuple[str, ...]:
        """Keys to be dropped that are not set anyway."""
        there = {one.key for one in policy}
        dropped = (key for key in self.dropped if key != ALL)
        return tuple(key for key in dropped if there.isdisjoint(spellings(key)))


def read_wishes(given: Sequence[tuple[str, str]], dropped: Sequence[str]) -> Wishes:
    """What keys are to be set, to texts, and which are to be dropped.  BadValue with all mistakes
    there are, a line each."""
    problems: list[str] = []
    values: list[OwnSetting] = []
    for key, text in given:
        try:
            _check_characters(key)
            values.append(OwnSetting(spellings(key)[0], _as_xml(known(key).kind, text)))
        except BadValue as error:
            problems.append(f"{key}: {error}")
    problems += _said_twice([*(one.key for one in values), *(spellings(key)[0] for key in dropped)])
    if problems:
        raise BadValue("\n".join(problems))
    return Wishes(tuple(values), tuple(spellings(key)[0] for key in dropped))


def _said_twice(keys: Sequence[str]) -> Iterator[str]:
    for key in dict.fromkeys(keys):
        if keys.count(key) > 1:
            yield f"{key}: it is given more than once"


def _unknown(dropped: Iterable[str], there: Iterable[str]) -> Iterator[str]:
    for key in dropped:
        if key != ALL and key not in there:
            try:
                known(key)
            except BadValue as error:
                yield f"{key}: {error}"


#: What XML 1.0 has no place for; the others are of no use in a name.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _as_xml(kind: Kind[Any], text: str) -> str:
    """The value as it is to stand in XML, read back as a test.  BadValue where it does not fit."""
    _check_characters(text)
    plain = _typed(kind, text)
    try:
        value = kind.parse(plain)
    except BadValue as error:
        raise BadValue(unfit(kind, plain, error)) from error
    written = to_text(kind, value)
    _check_characters(written)
    if not _reads_back(kind, written, value):
        raise BadValue('a name with blanks has no place there: give its UUID, or "?" for each')
    return written


def _check_characters(text: str) -> None:
    if _NO_XML.search(text):
        raise BadValue("it has characters that XML has no place for")


def _reads_back(kind: Kind[Any], written: str, value: object) -> bool:
    try:
        return bool(kind.parse(from_text(kind, written)) == value)
    except BadValue:  # two names are one without their blanks
        return False


def _typed(kind: Kind[Any], text: str) -> object:
    """What parse takes, of a value at a shell."""
    if text.lstrip().startswith(("[", '"', "'")):
        return _toml(text)
    return from_text(kind, text.replace(",", " ") if kind.several else text)


def _toml(text: str) -> object:
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadValue(f"it begins as TOML does, and is none: {error}") from error
    if len(read) > 1:
        raise BadValue("it begins as TOML does, and is more than one value")
    return read["value"]
