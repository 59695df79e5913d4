"""How much, and with which dice; and what chance does to a text."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.quick import blocks, one_in, seeds_of

#: How many times as much as `make test`; other numbers are other dice as well.
SOAK = int(os.environ.get("SOAK", "1"))


def seeds(count: int, size: int) -> pytest.MarkDecorator:
    """A block of seeds as parameter `block`, so many in all; the first block is quick."""
    cases = blocks(count * SOAK, size)
    return pytest.mark.parametrize("block", one_in(len(cases), cases), ids=seeds_of)


def dice(seed: int) -> random.Random:
    """The same for the same seed and SOAK."""
    return random.Random(f"{SOAK} {seed}")


_CHARACTERS = "\0\t\n\r\"'[]{}<>&=#.,-%\x85\u202e\u2028\ud800é🐧0"


def mutated(text: str, chance: random.Random) -> str:
    """The text, changed in some places."""
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(_MUTATIONS)(text, chance)
    return text


def _replaced(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(_CHARACTERS) + text[place + 1 :]


def _inserted(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(_CHARACTERS) * chance.choice((1, 2, 50)) + text[place:]


def _cut(text: str, chance: random.Random) -> str:
    first, last = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return text[:first] + text[last:]


def _repeated(text: str, chance: random.Random) -> str:
    first, last = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return text[:last] + text[first:last][:500] + text[last:]


def _swapped(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    first, second = (chance.randrange(len(lines)) for _ in range(2))
    lines[first], lines[second] = lines[second], lines[first]
    return "\n".join(lines)


_MUTATIONS: list[Callable[[str, random.Random], str]]
_MUTATIONS = [_replaced, _inserted, _cut, _repeated, _swapped]
