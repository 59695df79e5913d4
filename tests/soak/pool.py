"""Runs the stories of many seeds on several processors."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import multiprocessing.pool
import re
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.sim.scenario import Script
from tests.sim.text import script_texts

from .checker import BrokenPromise, check
from .generate import story
from .shrink import shrink

_CHUNK = 50


@dataclass(frozen=True)
class Failure:
    """A seed and what was wrong with its story, with the scenario to keep."""

    seed: int
    text: str


def run_seed(seed: int) -> Failure | None:
    """None when all is well."""
    script = story(seed)
    problem = run_story(script)
    if not problem:
        return None
    smallest = shrink(script, lambda smaller: _kind(run_story(smaller)) == _kind(problem))
    return Failure(seed, f"{run_story(smallest)}\n\n{scenario_text(smallest)}")


def _kind(problem: str) -> str:
    """What tells one way to fail from another: the first line, without names and numbers."""
    lines = problem.splitlines() or [""]
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return re.sub(r"^[^:]*: |\b[a-h]\b|\d+|/\S+", "", line)


def run_story(script: Script) -> str:
    """What is wrong with it; empty when nothing is."""
    try:
        check(script)
    except BrokenPromise as broken:
        return str(broken)
    except Exception:  # noqa: BLE001 - whatever guestctl raises is to be reported
        return traceback.format_exc()
    return ""


def scenario_text(script: Script) -> str:
    """The files of a scenario's folder, one after another."""
    return "\n".join(f"-- {name}\n{text}" for name, text in script_texts(script).items())


def explore(seeds: Iterable[int], processes: int) -> Iterator[Failure | None]:
    """What came of each seed, in their order."""
    with _pool(processes) as pool:
        for chunk in _chunks(seeds, processes * _CHUNK):
            yield from pool.map(run_seed, chunk, chunksize=_CHUNK)


def _pool(processes: int) -> multiprocessing.pool.Pool:
    # Forked: what was imported need not be imported again.
    return multiprocessing.get_context("fork").Pool(processes, collect_seldom)


def collect_seldom() -> None:
    """Each story leaves cycles behind; the fewer collections, the sooner they are all told."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _chunks(seeds: Iterable[int], size: int) -> Iterator[list[int]]:
    remaining = iter(seeds)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk
