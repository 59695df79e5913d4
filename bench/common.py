"""Measuring in rounds, and printing what came out."""

from __future__ import annotations

import compileall
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from tests.command import Guestctl, install
from tests.testbed.session import SessionDaemon

SYSTEM_PYTHON = "/usr/bin/python3"


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def turns(rounds: int, names: Sequence[str]) -> Iterator[str]:
    """Round after round, each beginning with another name.

    What else the machine does meanwhile hits all of them alike.
    """
    for number in range(rounds):
        first = number % len(names)
        yield from [*names[first:], *names[:first]]


def interleaved(rounds: int, works: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median of what each work measured, in turns."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for name in turns(rounds, list(works)):
        found[name].append(works[name]())
    return {name: median(values) for name, values in found.items()}


def table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print rows of what, how much, and what was aimed at."""
    print(f"\n{title}")
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, figure, aim in rows:
        print(f"  {what:<{widths[0]}}  {figure:>{widths[1]}}  {aim}".rstrip())


def within(figure: float, aim: float, unit: str = "") -> str:
    """The aim, and whether the figure keeps it."""
    return f"aim: at most {aim:g}{unit}{'' if figure <= aim else ', MISSED'}"


def command(daemon: SessionDaemon) -> Guestctl:
    """The command on that daemon's guests, compiled beforehand as a package is."""
    install(daemon)
    library = daemon.folder / "lib"
    compileall.compile_dir(library, quiet=1)
    state = daemon.folder / "state"
    daemon.run(["mkdir", str(state)])
    return Guestctl(daemon, state)
