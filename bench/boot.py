"""Twelve real guests brought up, so many at a time: booted anew, and resumed from their saves.

And booted anew in three waves against no waves.  How long until the last is up, as libvirt says,
and until the last has given a sign of life.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

from tests.command import Guestctl
from tests.guests.support import fresh
from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.waiting import wait_until

from .common import command, seconds, table, turns

GUESTS, WAVES = 12, 3
PARALLEL = (1, 2, 4, 8, 12)
#: The others are set against it.
USUAL = 4
WAVE = '[[guest]]\nmatch = "guest {}-*"\norder = {}\n'
#: How the guests go down before each boot, and what each has in memory.
KINDS = {"booted anew": ('save = "none"', 0), "resumed": ('save = "all"', 128)}


class Boot(NamedTuple):
    """Seconds until the command had all of them up, and until all had given a sign of life."""

    up: float
    alive: float


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    for kind, (save, dirty) in KINDS.items():
        settings = {str(n): f"[boot]\nparallel = {n}\n" for n in PARALLEL}
        found = _measured(dirty, rounds, _with_save(settings, save))
        _print(f"{GUESTS} guests {kind}, so many at a time, median of {rounds}", found, str(USUAL))
    save, dirty = KINDS["booted anew"]
    waves = "".join(WAVE.format(wave, wave) for wave in range(WAVES))
    ways = {f"in {WAVES} waves": waves, "no waves": ""}
    found = _measured(dirty, rounds, _with_save(ways, save))
    _print(f"{GUESTS} guests booted anew, median of {rounds}", found, "no waves")


def _with_save(settings: Mapping[str, str], save: str) -> dict[str, str]:
    return {name: f"[shutdown]\n{save}\n{text}" for name, text in settings.items()}


def _measured(dirty: int, rounds: int, settings: Mapping[str, str]) -> dict[str, Boot]:
    """The medians of each way, in turns; the very first boot does not count."""
    specs = [GuestSpec(f"guest {n % WAVES}-{n}", dirty_mib=dirty) for n in range(GUESTS)]
    with SessionDaemon() as daemon:
        command(daemon)
        daemon.start_all(specs)
        ways = {name: fresh(daemon, text) for name, text in settings.items()}
        works = {name: partial(_round, daemon, specs, way) for name, way in ways.items()}
        next(iter(works.values()))()
        return _in_turns(rounds, works)


def _in_turns(rounds: int, works: Mapping[str, Callable[[], Boot]]) -> dict[str, Boot]:
    found: dict[str, list[Boot]] = {name: [] for name in works}
    for name in turns(rounds, list(works)):
        found[name].append(works[name]())
    return {
        name: Boot(median(it.up for it in boots), median(it.alive for it in boots))
        for name, boots in found.items()
    }


def _round(daemon: SessionDaemon, specs: Sequence[GuestSpec], guestctl: Guestctl) -> Boot:
    """All go down, and come up."""
    guestctl.run("shutdown", "--preserve", "-q", timeout=300)
    before = _ticks(daemon, specs)
    begun = time.perf_counter()
    up = seconds(lambda: guestctl.run("start", "-q", timeout=300))

    def all_alive() -> bool:
        return all(now > then for now, then in zip(_ticks(daemon, specs), before, strict=True))

    wait_until(all_alive, 300, "a sign of life of all guests")
    return Boot(up, time.perf_counter() - begun)


def _ticks(daemon: SessionDaemon, specs: Sequence[GuestSpec]) -> list[int]:
    return [len(console.read_ticks(daemon.console(spec.name))) for spec in specs]


def _print(title: str, found: Mapping[str, Boot], usual: str) -> None:
    base = found[usual]
    rows = [
        (
            name,
            f"{it.up:.2f} s, {it.alive:.2f} s",
            f"{it.up / base.up:.2f}, {it.alive / base.alive:.2f}",
        )
        for name, it in found.items()
    ]
    table(f"{title}: all up, all at work, and both against {usual!r}", rows)


if __name__ == "__main__":
    main()
