"""Stories of a host with the service on it: how they are told, and what they draw alike."""

from __future__ import annotations

import asyncio
import random
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence

from guestctl.config.config import Config
from tests.sim.behaviour import IGNORED_BUTTON, Behaviour, Button, GuestSpec, Save, Start
from tests.sim.service import ServedHost, tell

#: In seconds: no story is longer.
MOST = 30 * 86400.0


class Story(ABC):
    """What befalls a host with these guests.  told: lines, for whoever looks at a fault."""

    guests: list[GuestSpec]
    config: Config

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.told: list[str] = []

    @abstractmethod
    async def happens(self, host: ServedHost) -> None:
        """All of it; AssertionError where something is not as it must be."""

    def _tell(self, text: str) -> None:
        self.told.append(f"{asyncio.get_running_loop().time():9.2f}  {text}")


def what_is_wrong_in(story: Story, seed: int) -> str:
    """Its lines and the fault; empty where there is none."""
    try:
        tell(story.happens, story.guests, story.config, most=MOST)
    except Exception:  # noqa: BLE001 - whatever it is is to be reported
        return f"seed {seed}:\n" + "\n".join(story.told) + "\n" + traceback.format_exc()
    return ""


def some_behaviour(dice: random.Random, starts: Sequence[float]) -> Behaviour:
    """starts: how many seconds a start may take, the likelier ones more than once."""
    return Behaviour(
        save=Save(dice.choice((1.0, 8.0, 40.0))),
        button=dice.choice((Button(2.0), Button(15.0), IGNORED_BUTTON)),
        start=Start(dice.choice(starts)),
    )
