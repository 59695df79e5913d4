"""Random profiles: of the host and of guests, in metadata too, and who says which is in force."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.model.guest import OwnSetting
from guestctl.model.options import Method, Scope
from tests.sim.behaviour import MIB, GuestSpec
from tests.sim.events import Line, Turn
from tests.sim.scenario import Script

from .in_force import OWN, WAYS, names_in

#: Of so many stories one has profiles.
ONE_IN = 4
NAMES = ("reboot", "poweroff", "ups")
#: One that no table has: of guests it means nothing, and to name it is a mistake.
NOBODYS = "night"
Choices = Mapping[str, Sequence[Any]]
OF_GUEST: Choices = {
    "save": (Scope.PERSISTENT, Scope.ALL, Scope.NONE, Scope.NONE),
    "shutdown": (*Scope, Scope.ALL),
    "poweroff": (*Scope, Scope.ALL, Scope.ALL),
    "save_timeout": (2.0, 30.0, 600.0),
    "shutdown_timeout": (5.0, 20.0, 90.0, inf),
    "job_timeout": (0.0, 5.0, 60.0),
    "methods": ((Method.ACPI,), (Method.AGENT,), (Method.ACPI, Method.AGENT)),
}
OF_HOST: Choices = {
    **OF_GUEST,
    "parallel": (1, 2, 16),
    "parallel_shutdowns": (None, 1, 2),
    "save_reserve": (0, 512 * MIB, 1024 * MIB),
    "deadline": (30.0, 120.0, 1500.0),
}


def has_profiles(seed: int) -> bool:
    """Whether the story of this seed has profiles."""
    return seed % ONE_IN == 1


def with_profiles(script: Script, seed: int) -> Script:
    """The same story with profiles: of dice of its own, so that all else stays as it is."""
    dice = ProfileDice(random.Random(f"profiles {seed}"))
    guests = [dice.with_own(guest) for guest in script.guests]
    config = dice.with_tables(script.config, [guest.name for guest in guests])
    names = known_names(config)
    turns = [dice.with_a_way(turn, names) for turn in script.turns]
    return replace(script, guests=guests, config=config, turns=turns)


def known_names(config: Config) -> list[str]:
    """Profiles that a command can name: those of tables, and those of the host without any."""
    return sorted({*WAYS.values(), *names_in(config)})


class ProfileDice:
    """Throws for profiles, and for what names them.

    of_host, of_guest: what may be set in a profile, and to what.
    """

    def __init__(
        self, random: random.Random, of_host: Choices = OF_HOST, of_guest: Choices = OF_GUEST
    ) -> None:
        self._random = random
        self._of_host, self._of_guest = of_host, of_guest

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _values(self, choices: Choices) -> dict[str, Any]:
        """Of a few keys; of none at times."""
        keys = self._random.sample(sorted(choices), k=self._random.choice((0, 1, 1, 2, 3)))
        return {key: self._random.choice(choices[key]) for key in keys}

    # -- the configuration -----------------------------------------------------------------------

    def with_tables(self, config: Config, names: Sequence[str]) -> Config:
        """Profiles of the host, and tables of guests that have some, before or after others."""
        tables = [self._table(match) for match in (*names, "*") if self._chance(0.4)]
        guests = [*config.guests, *(table for table in tables if table.profiles)]
        self._random.shuffle(guests)
        general = replace(config.general, metadata=not self._chance(0.1))
        of_host = {name: self._values(self._of_host) for name in NAMES if self._chance(0.6)}
        return replace(config, general=general, profiles=of_host, guests=tuple(guests))

    def _table(self, match: str) -> GuestOverride:
        values = self._values(self._of_guest) if self._chance(0.3) else {}
        of_profiles = {name: self._values(self._of_guest) for name in NAMES if self._chance(0.5)}
        return GuestOverride(match, values, of_profiles)

    # -- guests ----------------------------------------------------------------------------------

    def with_own(self, guest: GuestSpec) -> GuestSpec:
        """With settings in its XML, by chance, and mistakes among them."""
        if not self._chance(0.4):
            return guest
        whose = ("", *(f"profile.{name}." for name in (*NAMES, NOBODYS)))
        keys = [key for key in OWN if key.replace("-", "_") in self._of_guest]
        some = self._random.choices(keys, k=self._random.randint(1, 4))
        found = {self._random.choice(whose) + key: key for key in some}
        own = (OwnSetting(key, self._text(OWN[name])) for key, name in found.items())
        return replace(guest, policy=tuple(own))

    def _text(self, sound: Iterable[str]) -> str:
        return self._random.choice((*sound, *sound, "sometimes"))

    # -- commands --------------------------------------------------------------------------------

    def with_a_way(self, turn: Turn, names: Sequence[str]) -> Turn:
        """The host's stop in some way, a command under a profile; both by chance."""
        line = turn.command
        return Turn(
            line and replace(line, deed=line.deed + self._way(line, names)), turn.happenings
        )

    def _way(self, line: Line, names: Sequence[str]) -> str:
        if line.deed == "host stops" and self._chance(0.8):
            return f" by {self.kind()}"
        if line.deed.split()[0] in ("preserve", "shutdown") and self._chance(0.6):
            return f" --profile {self._random.choice(names)}"
        return ""

    def kind(self) -> str:
        """In which way a host stops."""
        return self._random.choice(list(WAYS))
