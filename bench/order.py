"""Twelve real guests in three waves against the same without an order: saved, and brought back."""

from __future__ import annotations

from functools import partial

from tests.command import Guestctl
from tests.guests.support import fresh
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .common import command, interleaved, seconds, table, within

GUESTS, WAVES = 12, 3
ROUNDS = 5
#: Some seconds' worth of saving each.
DIRTY_MIB = 256
WAVE = '[[guest]]\nmatch = "guest {}-*"\norder = {}\n'


def main() -> None:
    """Measure and print."""
    with SessionDaemon() as daemon:
        command(daemon)
        specs = [GuestSpec(f"guest {n % WAVES}-{n}", dirty_mib=DIRTY_MIB) for n in range(GUESTS)]
        daemon.start_all(specs)
        ordered = "".join(WAVE.format(wave, wave) for wave in range(WAVES))
        ways = {"with": fresh(daemon, ordered), "without": fresh(daemon)}
        _print(_measured(ways, "saved"), "saved", 1.05)
        _print(_measured(ways, "back"), "brought back from their saves", None)


def _measured(ways: dict[str, Guestctl], what: str) -> dict[str, float]:
    works = {name: partial(_round, guestctl, what) for name, guestctl in ways.items()}
    interleaved(1, works)
    return interleaved(ROUNDS, works)


def _round(guestctl: Guestctl, what: str) -> float:
    """All are saved, and come back; the seconds that one of both took."""
    saved = seconds(lambda: guestctl.run("shutdown", "--preserve", "-q", timeout=300))
    back = seconds(lambda: guestctl.run("start", "-q", timeout=300))
    return saved if what == "saved" else back


def _print(found: dict[str, float], what: str, aim: float | None) -> None:
    ratio = found["with"] / found["without"]
    table(
        f"{GUESTS} guests {what}, median of {ROUNDS}",
        [
            (f"in {WAVES} waves", f"{found['with']:.2f} s", ""),
            ("without an order", f"{found['without']:.2f} s", ""),
            ("with / without", f"{ratio:.2f}", within(ratio, aim) if aim else ""),
        ],
    )


if __name__ == "__main__":
    main()
