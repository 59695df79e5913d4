"""Which settings are in force when the host goes down so, or when somebody names a profile.  Pure.

Over the usual [shutdown] go, one over the other: the profile, guests' own settings and what these
have for the profile, [[guest]] tables, and what these have for it.  Profiles are the host's: one
that no table of the configuration has is not used, whatever guests say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..config.config import Config, GuestOverride
from ..model.near import nearest
from ..model.options import PROFILES_OF_HOST, PROFILES_OF_STOPS


def under(config: Config, profile: str | None) -> Config:
    """The configuration with what this profile has; it has no profiles any more.

    The usual settings where None is named, or one that no table has.
    """
    name = profile or ""
    plain = [replace(override, profiles={}) for override in config.guests]
    further = [
        GuestOverride(override.match, override.profiles[name])
        for override in config.guests
        if name in override.profiles
    ]
    return replace(
        config,
        shutdown=replace(config.shutdown, **config.profiles.get(name, {})),
        guests=(*plain, *further),
        profiles={},
        in_force=name if config.general.metadata and name in names(config) else config.in_force,
    )


def own_deadline(config: Config, profile: str | None) -> float | None:
    """The deadline in seconds that the profile itself has, if it has one."""
    deadline: float | None = config.profiles.get(profile or "", {}).get("deadline")
    return deadline


def of_stop(kind: str) -> str | None:
    """The profile for a host that goes down in this way, in systemd's words; None: the usual."""
    return PROFILES_OF_STOPS.get(kind)


def names(config: Config) -> tuple[str, ...]:
    """Profiles that some table has."""
    tables: list[Mapping[str, object]] = [config.profiles]
    tables += [override.profiles for override in config.guests]
    return tuple(dict.fromkeys(name for table in tables for name in table))


def depends_on_stop(config: Config) -> bool:
    """Whether it makes a difference in which way the host goes down."""
    return not set(PROFILES_OF_HOST).isdisjoint(names(config))


def why_unknown(config: Config, profile: str) -> str:
    """Why there is no such profile; empty where there is.

    Those of the host's stops can be named without any table: the usual settings are theirs then.
    """
    known = names(config)
    if profile in known or profile in PROFILES_OF_HOST:
        return ""
    there = ", ".join(known) or "none"
    text = f'there is no profile "{profile}" in the configuration, which has: {there}'
    if counts := PROFILES_OF_STOPS.get(profile):
        return f'{text}; {profile} counts as "{counts}"'
    near = nearest(profile, [*known, *PROFILES_OF_HOST])
    return f'{text}; did you mean "{near[0]}"?' if near else text
