"""How long the command takes to start: its help, and a list of twenty guests."""

from __future__ import annotations

from collections.abc import Callable

from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .common import SYSTEM_PYTHON, command, interleaved, seconds, table, within

GUESTS = 20
ROUNDS = 15


def _timed(daemon: SessionDaemon, argv: list[str]) -> Callable[[], float]:
    return lambda: seconds(lambda: daemon.run(argv))


def main() -> None:
    """Measure and print."""
    with SessionDaemon() as daemon:
        guestctl = command(daemon)
        for number in range(GUESTS):
            daemon.define(GuestSpec(f"guest {number}"))
        commands = {
            "python3 -c pass": [SYSTEM_PYTHON, "-c", "pass"],
            "guestctl --help": [SYSTEM_PYTHON, "-m", "guestctl", "--help"],
            "guestctl list": guestctl.argv("list"),
        }
        works = {name: _timed(daemon, argv) for name, argv in commands.items()}
        interleaved(2, works)
        found = interleaved(ROUNDS, works)
    aims = {"guestctl --help": 0.15, "guestctl list": 0.4}
    rows = [
        (name, f"{taken:.3f} s", within(taken, aims[name], " s") if name in aims else "")
        for name, taken in found.items()
    ]
    nothing = found["python3 -c pass"]
    # What the machine's load does to the figures above shows in the yardstick too.
    rows += [(f"{name} / python3", f"{found[name] / nothing:.1f}", "") for name in aims]
    table(f"Start of the command, {GUESTS} guests, median of {ROUNDS}", rows)


if __name__ == "__main__":
    main()
