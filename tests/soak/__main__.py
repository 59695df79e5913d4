"""`python -m tests.soak --seeds 0-99999`, or `--minutes 10` from a seed of the day's on.

A seed whose story breaks a promise is printed as the files of a scenario: put them into a
folder of tests/scenarios/, with a reason and a must.txt, and it is kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from .pool import Failure, explore

#: So that two explorations hardly ever run the same seeds.
_SEEDS_PER_SECOND = 1000


def main() -> int:
    """Explore; 1 when a promise was broken."""
    arguments = _arguments()
    begun = time.monotonic()
    count, failures = 0, 0
    for found in explore(_seeds(arguments), arguments.processes):
        count += 1
        if found is not None:
            failures += 1
            _print(found)
        if failures >= arguments.failures:
            break
    seconds = time.monotonic() - begun
    print(f"{count} stories in {seconds:.0f} s ({count / seconds:.0f}/s), {failures} failed")
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seeds", metavar="A-B", help="these, both included; or just one")
    which.add_argument("--minutes", type=float, help="new ones for so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    return parser.parse_args()


def _seeds(arguments: argparse.Namespace) -> Iterator[int]:
    if arguments.seeds:
        first, _, last = arguments.seeds.partition("-")
        yield from range(int(first), int(last or first) + 1)
        return
    seed, end = int(time.time()) * _SEEDS_PER_SECOND, time.monotonic() + arguments.minutes * 60
    while time.monotonic() < end:
        yield seed
        seed += 1


def _print(found: Failure) -> None:
    print(f"== seed {found.seed}\n{found.text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
