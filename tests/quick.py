"""Which of many like cases are quick: those of `make check`; `make test` runs the others too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

#: Seeds that one test runs: few enough for two processors to share them evenly.
BLOCK = 250


def one_in(many: int, cases: Iterable[T]) -> list[pytest.ParameterSet]:
    """Each case as a parameter; the first of every `many` is quick, the others are thorough."""
    return [pytest.param(case, marks=_marks(n % many == 0)) for n, case in enumerate(cases)]


def only(quick: Iterable[str], cases: dict[str, Any]) -> list[pytest.ParameterSet]:
    """Each case as a parameter under its name; those named are quick, the others thorough."""
    chosen = set(quick)
    assert chosen <= cases.keys()
    return [pytest.param(case, id=key, marks=_marks(key in chosen)) for key, case in cases.items()]


def blocks(seeds: int, size: int = BLOCK) -> list[range]:
    """All seeds below a number, in blocks."""
    return [range(first, min(first + size, seeds)) for first in range(0, seeds, size)]


def seeds_of(block: object) -> str | None:
    """The name of a block, for pytest's ids."""
    return f"{block.start}-{block.stop - 1}" if isinstance(block, range) else None


def _marks(is_quick: bool) -> list[pytest.MarkDecorator]:
    return [] if is_quick else [pytest.mark.thorough]
