"""Settings that a guest's own XML gives: texts to values, or what is wrong with them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..model.guest import OwnSetting
from ..model.units import BadValue
from .kinds import from_text, unfit
from .names import Vocabulary
from .settings import SETTINGS, Setting

_VOCABULARY = Vocabulary(SETTINGS)
#: What a [[guest]] has beside settings.
_OF_TABLES = ("match", "profile")


@dataclass(frozen=True)
class OwnSettings:
    """values: by names of fields.  problems: what counts as not given, "key: why"."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


NOTHING_OWN = OwnSettings()


@lru_cache(maxsize=4096)
def read_own(policy: tuple[OwnSetting, ...]) -> OwnSettings:
    """The values of these texts.  One with a mistake takes nothing from the others."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, texts in _by_key(policy).items():
        try:
            setting = known(key)
            values[setting.name] = parsed(setting, texts)
        except BadValue as error:
            problems.append(f"{key}: {error}")
    return OwnSettings(values, tuple(problems))


def _by_key(policy: Iterable[OwnSetting]) -> dict[str, list[str]]:
    """All texts of a key, whichever of its names is used."""
    found: dict[str, list[str]] = {}
    for key, text in policy:
        found.setdefault(_VOCABULARY.guest.current(key), []).append(text)
    return found


def texts_of(policy: Iterable[OwnSetting]) -> dict[str, str]:
    """What stands there of each key, whichever of its names is used."""
    return {key: " ".join(texts) for key, texts in _by_key(policy).items()}


def known(key: str) -> Setting:
    """The setting that a [[guest]] has by this name, or had once.  Raises BadValue for none."""
    names = _VOCABULARY.guest
    if setting := names.settings.get(names.current(key)):
        return setting
    if key in _OF_TABLES:
        raise BadValue(f'is for a [[guest]] of the configuration: "{key}" means nothing here')
    raise BadValue(_VOCABULARY.unknown_for_guest(key, False))


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
