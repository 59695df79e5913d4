"""How long planning takes where there are many guests: their order, and a run in time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import median

from guestctl.config.config import Config, GuestOverride
from guestctl.decisions.host_facts import HostFacts, plan_of, timeline_of
from guestctl.decisions.sequence import sequence_for
from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.save import SaveRecord, SaveState

from .common import seconds, table, within

ROUNDS = 5
URI = "qemu:///system"
GIB = 2**30


def _host(count: int) -> HostFacts:
    """Guests of ten numbers, each after up to three others, half of them saved before."""
    dice = random.Random(count)
    names = [f"g{number:05}" for number in range(count)]
    guests = tuple(
        GuestFacts(GuestId(URI, name), name, State.RUNNING, memory=dice.randint(1, 64) * GIB)
        for name in names
    )
    # Tables that are for many, as in real files: each is looked at for every guest.
    tables = tuple(
        GuestOverride(
            f"g*{number}", {"order": number, "after": tuple(dice.choices(names[:count], k=3))}
        )
        for number in range(10)
    )
    saves = tuple(
        SaveRecord(guest.id, guest.memory, "", dice.uniform(1, 60), SaveState.RESUMED, None)
        for guest in guests[::2]
    )
    return HostFacts(
        "boot", 0, (URI,), True, True, Config(guests=tables), guests=guests, saves=saves
    )


def _patterns() -> Mapping[str, Sequence[str]]:
    """What everybody comes after, where that means many: it may be everybody."""
    digits = [f"*{digit}" for digit in range(9)]
    return {"after everybody": ["*"], "after ten patterns each": [*digits, "*"]}


def _ordered(count: int, words: Sequence[str]) -> float:
    facts = _host(count)
    config = Config(guests=(GuestOverride("*", {"after": tuple(words)}),))
    return median(seconds(lambda: sequence_for(config, facts.guests)) for _ in range(ROUNDS))


def _taken(count: int) -> tuple[float, float, float]:
    facts = _host(count)
    ordered = [seconds(lambda: sequence_for(facts.config, facts.guests)) for _ in range(ROUNDS)]
    planned = [seconds(lambda: plan_of(facts)) for _ in range(ROUNDS)]
    in_time = [seconds(lambda: timeline_of(facts)) for _ in range(ROUNDS)]
    return median(ordered), median(planned), median(in_time)


def main() -> None:
    """Measure and print."""
    rows = []
    for count in (1000, 5000):
        ordered, planned, in_time = _taken(count)
        for what, words in _patterns().items():
            took = _ordered(count, words)
            rows.append((f"{count} guests, all {what}: their order", f"{took:.3f} s", ""))
        rows += [
            (f"{count} guests: their order", f"{ordered:.3f} s", ""),
            (f"{count} guests: steps and limits", f"{planned:.3f} s", ""),
            (
                f"{count} guests: steps, order and all of it in time",
                f"{in_time:.3f} s",
                within(in_time, 1.0, " s") if count == 1000 else "",
            ),
        ]
    table(f"Planning, median of {ROUNDS}", rows)


if __name__ == "__main__":
    main()
