"""What a tiny guest wrote on its console: the proof whether it was resumed or booted anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .waiting import wait_until

TICK = re.compile(r"^tick (\d+) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


@dataclass(frozen=True)
class Tick:
    """One second of a guest's life: its number since the boot and the boot's id."""

    n: int
    boot_id: str


def lines(path: Path) -> list[str]:
    """The complete lines of the console; the one still being written is left out."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip("\r") for line in text.split("\n")[:-1]]


def read_ticks(path: Path) -> list[Tick]:
    """All ticks of the console, in order."""
    found = (TICK.match(line) for line in lines(path))
    return [Tick(int(match[1]), match[2]) for match in found if match]


def last_tick(path: Path) -> Tick | None:
    """The newest tick, None if there is none yet."""
    ticks = read_ticks(path)
    return ticks[-1] if ticks else None


def boots(path: Path) -> list[str]:
    """The ids of the boots seen, each once, in order."""
    return list(dict.fromkeys(tick.boot_id for tick in read_ticks(path)))


def presses(path: Path) -> int:
    """How often the guest saw its power button pressed."""
    return sum(line.startswith("press ") for line in lines(path))


def said_bye(path: Path) -> bool:
    """Whether the guest powered itself off in good order as the last thing it did."""
    seen = [line for line in lines(path) if line == "bye" or TICK.match(line)]
    return seen[-1:] == ["bye"]


def wait_for_tick(path: Path, after: int = 0, timeout: float = 120) -> Tick:
    """Wait for a tick beyond the first `after` ticks of the console; return the newest.

    `after` counts ticks of the whole file, not of a boot: `len(read_ticks(path))` means "from now".
    """
    what = f"tick {after + 1} in {path}"
    wait_until(lambda: len(read_ticks(path)) > after, timeout, what)
    return read_ticks(path)[-1]


def was_resumed(path: Path, before: Tick) -> bool:
    """Whether the guest went on from `before`: the same boot, and the very next ticks.

    Only the ticks after `before` count, and there must be one.
    """
    ticks = read_ticks(path)
    later = ticks[ticks.index(before) + 1 :]
    expected = [Tick(before.n + step + 1, before.boot_id) for step in range(len(later))]
    return bool(later) and later == expected
