"""Whether a run is at work still with guests that it tries for the first time."""

from __future__ import annotations

import asyncio
import contextlib


class AtWork:
    """Counts them."""

    def __init__(self) -> None:
        self._count = 0
        self._nobody = asyncio.Event()

    def begins(self, guests: int) -> None:
        """With so many guests it begins."""
        self._count += guests

    def ends(self) -> None:
        """With one of them it is through."""
        self._count -= 1
        if not self._count:
            self._nobody.set()

    async def goes_on_for(self, seconds: float) -> bool:
        """Wait so long, or until it is through with all of them; whether it is not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        return self._count > 0
