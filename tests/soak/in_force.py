"""Which settings are in force: a second, naive reading of the rules in docs/dev/config.md.

It shares nothing with guestctl's own but the values of the configuration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.model.guest import GuestFacts, OwnSetting
from guestctl.model.options import Method, Scope
from tests.sim.events import Command

Values = Mapping[str, Any]
#: Ways in which a host stops that have a profile.
WAYS = {
    "reboot": "reboot",
    "kexec": "reboot",
    "soft-reboot": "reboot",
    "poweroff": "poweroff",
    "halt": "poweroff",
}
#: What the XML of guests in these stories gives, by its key; whatever else is a mistake.
_SCOPES = {"all": Scope.ALL, "persistent": Scope.PERSISTENT, "none": Scope.NONE}
_SECONDS = {"15s": 15.0, "40s": 40.0, "infinity": inf}
OWN: Mapping[str, Mapping[str, Any]] = {
    "save": _SCOPES,
    "shutdown": _SCOPES | {"transient": Scope.TRANSIENT},
    "poweroff": _SCOPES | {"transient": Scope.TRANSIENT},
    "save-timeout": _SECONDS,
    "shutdown-timeout": _SECONDS,
    "methods": {"acpi": (Method.ACPI,), "agent": (Method.AGENT,)},
}


def profile_of(command: Command) -> str:
    """That of a command, or of the host's stop; empty for none."""
    return command.profile or WAYS.get(command.kind, "")


def of_host(config: Config, profile: str) -> dict[str, Any]:
    """[shutdown] under this profile, and who starts guests."""
    usual = {**asdict(config.shutdown), "managed_elsewhere": config.boot.managed_elsewhere}
    return usual | dict(config.profiles.get(profile, {}))


def of_guest(config: Config, profile: str, guest: GuestFacts) -> dict[str, Any]:
    """The guest's, and under "told" which of them are its own, or of a table for it."""
    layers = list(_of_guest_alone(config, profile, guest))
    merged = of_host(config, profile)
    for layer in layers:
        merged |= layer
    return merged | {"told": {name for layer in layers for name in layer}}


def _of_guest_alone(config: Config, profile: str, guest: GuestFacts) -> Iterator[Values]:
    """What there is for it beyond the sections, the last word last."""
    if config.general.metadata:
        yield _own(guest.info.policy, "")
    if config.general.metadata and profile in names_in(config):
        yield _own(guest.info.policy, f"profile.{profile}.")
    tables = [table for table in config.guests if _is_for(table, guest)]
    yield from (table.values for table in tables)
    yield from (table.profiles.get(profile, {}) for table in tables)


def names_in(config: Config) -> set[str]:
    """Profiles that some table of the configuration has."""
    return set(config.profiles).union(*(table.profiles for table in config.guests))


def _is_for(table: GuestOverride, guest: GuestFacts) -> bool:
    return table.match == guest.id.uuid or fnmatchcase(guest.name, table.match)


def _own(settings: Collection[OwnSetting], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings:
        name = key.removeprefix(prefix)
        if key == prefix + name and value in OWN.get(name, {}):
            found[name.replace("-", "_")] = OWN[name][value]
    return found
