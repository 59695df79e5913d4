"""Stories by the thousand, in one process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from .pool import collect_seldom


@pytest.fixture(autouse=True, scope="package")
def seldom_collected() -> Iterator[None]:
    """As in the pool."""
    usual = gc.get_threshold()
    collect_seldom()
    yield
    gc.set_threshold(*usual)
