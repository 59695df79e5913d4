"""Coroutines in tests, with a limit so that a test can fail but not hang."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
LIMIT = 10.0


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on an event loop of its own."""

    async def limited() -> T:
        return await asyncio.wait_for(work, LIMIT)

    return asyncio.run(limited())
