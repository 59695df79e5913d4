"""Random orders: who comes after whom, in circles too, and what shows that guests are ready."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Order
from guestctl.model.readiness import Accepts, AgentAnswers, HasAddress, HasRun
from tests.sim.behaviour import Agent, GuestSpec
from tests.sim.scenario import Script

#: Of so many stories one has an order.
ONE_IN = 3
_WORDS = ("*", "?", "[a-c]", "[d-h]", "nobody")
_RULES = (AgentAnswers(), HasAddress(), Accepts(22), HasRun(5.0))
_FURTHER = "efgh"


def has_graph(seed: int) -> bool:
    """Whether the story of this seed has an order."""
    return seed % ONE_IN == 0


def with_graph(script: Script, seed: int) -> Script:
    """The same story with an order: of dice of its own, so that all else stays as it is."""
    return _Graph(random.Random(seed)).added_to(script)


class _Graph:
    def __init__(self, random: random.Random) -> None:
        self._random = random

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def added_to(self, script: Script) -> Script:
        further = [GuestSpec(name=name) for name in _FURTHER[: self._random.choice((0, 0, 2, 4))]]
        guests = [self._observed(guest) for guest in (*script.guests, *further)]
        return replace(script, guests=guests, config=self._config(script.config, guests))

    def _observed(self, guest: GuestSpec) -> GuestSpec:
        """With what readiness goes by."""
        behaviour = replace(
            guest.behaviour,
            address=self._random.choice((0.5, 3.0, 20.0, inf)),
            accepts=self._random.choice((1.0, 8.0, inf)),
        )
        if self._chance(0.3):
            behaviour = replace(behaviour, agent=Agent.WORKS)
        return replace(guest, behaviour=behaviour)

    def _config(self, config: Config, guests: list[GuestSpec]) -> Config:
        names = [guest.name for guest in guests]
        tables = [GuestOverride(name, self._wishes(names)) for name in names if self._chance(0.7)]
        order = Order(after=("a",)) if self._chance(0.1) else Order()
        usual = tuple(table for table in tables if table.values)
        return replace(config, guests=(*config.guests, *usual), order=order)

    def _wishes(self, names: list[str]) -> dict[str, Any]:
        """The guest's own name is one of them: it never waits for itself."""
        found: dict[str, Any] = {}
        for key, share in (("after", 0.6), ("requires", 0.35)):
            if self._chance(share):
                words = self._random.choices((*names, *names, *_WORDS), k=self._most(3))
                found[key] = tuple(dict.fromkeys(words))
        if self._chance(0.25):
            found["order"] = self._random.randrange(3)
        if self._chance(0.25):
            rules = self._random.sample(_RULES, k=self._most(2))
            found |= {"ready": tuple(rules), "ready_timeout": self._random.choice((5.0, 30.0))}
        return found

    def _most(self, count: int) -> int:
        return self._random.randint(1, count)
