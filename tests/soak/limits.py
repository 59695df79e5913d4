"""Random limits: how many guests shut down at a time, and steps without a time limit."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf

from tests.sim.scenario import Script

#: Of so many stories one has them.
ONE_IN = 3


def has_limits(seed: int) -> bool:
    """Whether the story of this seed has them: with an order or without, as it comes."""
    return seed // 2 % ONE_IN == 0


def with_limits(script: Script, seed: int) -> Script:
    """The same story with them: of dice of its own, so that all else stays as it is."""
    dice, config = random.Random(f"limits {seed}"), script.config
    usual = config.shutdown
    shutdown = replace(
        usual,
        parallel_shutdowns=dice.choice((1, 1, 2, 3)),
        shutdown_timeout=dice.choice((usual.shutdown_timeout, usual.shutdown_timeout, inf)),
        save_timeout=dice.choice((usual.save_timeout, usual.save_timeout, inf)),
    )
    return replace(script, config=replace(config, shutdown=shutdown))
