"""Settings that a guest's own XML gives: texts to values, or what is wrong with them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..model.guest import OwnSetting
from ..model.units import BadValue
from .config import Profiles
from .kinds import from_text, unfit
from .names import Vocabulary
from .settings import SETTINGS, Setting

_VOCABULARY = Vocabulary(SETTINGS)
#: Before the name of a profile, and a key in it.
PREFIX = "profile."
#: What a [[guest]] has beside settings.
_OF_TABLES = ("match", "profile")


@dataclass(frozen=True)
class OwnSettings:
    """values: by names of fields.  problems: what counts as not given, "key: why".
    profiles: what differs in a profile, by its name."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    profiles: Profiles = field(default_factory=dict)


NOTHING_OWN = OwnSettings()


@lru_cache(maxsize=4096)
def read_own(policy: tuple[OwnSetting, ...]) -> OwnSettings:
    """The values of these texts.  One with a mistake takes nothing from the others."""
    values: dict[str, dict[str, Any]] = {"": {}}
    problems: list[str] = []
    for key, texts in _by_key(policy).items():
        try:
            setting = known(key)
            value = parsed(setting, texts)
            values.setdefault(_split(key)[0], {})[setting.name] = value
        except BadValue as error:
            problems.append(f"{key}: {error}")
    return OwnSettings(values.pop(""), tuple(problems), values)


def _by_key(policy: Iterable[OwnSetting]) -> dict[str, list[str]]:
    """All texts of a key, whichever of its names is used."""
    found: dict[str, list[str]] = {}
    for key, text in policy:
        found.setdefault(spellings(key)[0], []).append(text)
    return found


def _split(key: str) -> tuple[str, str]:
    """The profile and the key in it; no profile for a setting that counts always."""
    _, prefix, rest = key.partition(PREFIX)
    profile, _, name = rest.rpartition(".")
    profile = profile.strip()
    return (profile, name) if profile and key.startswith(prefix) else ("", key)


def spellings(key: str) -> tuple[str, ...]:
    """All names of the setting, the current one first; the key itself where no setting has it."""
    profile, name = _split(key)
    prefix = f"{PREFIX}{profile}." if profile else ""
    names = _VOCABULARY.guest_profile if profile else _VOCABULARY.guest
    row = names.settings.get(names.current(name))
    return tuple(prefix + it for it in (row.guest_key, *row.guest_old_names)) if row else (key,)


def texts_of(policy: Iterable[OwnSetting]) -> dict[str, str]:
    """What stands there of each key, whichever of its names is used."""
    return {key: " ".join(texts) for key, texts in _by_key(policy).items()}


def known(key: str) -> Setting:
    """The setting that a [[guest]] has by this name, or had once; of a profile as
    profile.NAME.KEY.  Raises BadValue for none."""
    profile, name = _split(key)
    if profile:
        return _known_in_profile(name)
    names = _VOCABULARY.guest
    if setting := names.settings.get(names.current(key)):
        return setting
    if key in _OF_TABLES:
        raise BadValue(f'is for a [[guest]] of the configuration: "{key}" means nothing here')
    raise BadValue(_VOCABULARY.unknown_for_guest(key, False))


def _known_in_profile(key: str) -> Setting:
    names = _VOCABULARY.guest_profile
    if setting := names.settings.get(names.current(key)):
        return setting
    raise BadValue(_VOCABULARY.unknown_in_guest_profile(key, False))


def parsed(setting: Setting, texts: list[str]) -> Any:
    """The value of texts; a list may be given in several.  Raises BadValue with all there is to
    say."""
    if len(texts) > 1 and not setting.kind.several:
        raise BadValue("it is given more than once")
    value = from_text(setting.kind, " ".join(texts))
    try:
        return setting.kind.parse(value)
    except BadValue as error:
        raise BadValue(unfit(setting.kind, value, error)) from error
