"""The doctor of the service: a minute after its start and once a day, in a process of its own.

What a check imports is not to stay in the memory of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..control.doctor import findings_file
from ..control.doctor.findings_file import Last, Told, added
from ..host.programs import NotRun, output_of
from .configuration import Configuration
from .state import ServiceState
from .waiting import end_all

logger = logging.getLogger(__name__)

#: Seconds until the first look, which is not to compete with the boot, and between two of them: on
#: the loop's clock, which neither jumps nor goes while the host sleeps.
FIRST, AGAIN = 60.0, 86400.0
#: For a look, in seconds; its parts have limits of their own.
LIMIT = 180.0
#: How soon a look ends once the host goes down.
GIVE_WAY = 1.0

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


def child(configuration: Configuration) -> list[str]:
    """The command that looks, with the service's own options."""
    program = [sys.argv[0]]
    if Path(sys.argv[0]).name == "__main__.py":  # python3 -m guestctl
        program = [sys.executable, "-m", "guestctl"]
    return [*program, "unit", "doctor", *configuration.options]


class DailyDoctor:
    """Has it look, and tells in the journal what is new or gone since."""

    def __init__(
        self,
        state: ServiceState,
        argv: Sequence[str],
        run: Path,
        kept: Path,
        on_change: Callable[[], None],
    ) -> None:
        """argv: what looks.  run: where that writes what it found.  kept: where is kept what was
        told, from boot to boot."""
        self._state = state
        self._argv = argv
        self._run = run
        self._kept = kept
        self._on_change = on_change

    async def work(self) -> None:
        """Never returns."""
        await asyncio.sleep(FIRST)
        while True:
            await self._state.until_idle()
            try:
                await self._look_while_host_stays()
            except Exception as error:  # noqa: BLE001 - not again before a day is over
                logger.error(f"internal error, the doctor has not looked: {error!r}")
            await asyncio.sleep(AGAIN)

    async def _look_while_host_stays(self) -> None:
        look = asyncio.create_task(self._look())
        try:
            while not (look.done() or self._state.goes_down):
                await asyncio.wait([look], timeout=GIVE_WAY)
        finally:
            await end_all([look])
        if not look.cancelled():
            look.result()

    async def _look(self) -> None:
        try:
            await output_of(*self._argv, limit=LIMIT)
        except NotRun as error:
            logger.warning(f"the doctor could not look at this host: {error}")
            return
        if last := findings_file.read(self._run):
            self._tell(last)

    def _tell(self, last: Last) -> None:
        before = (findings_file.read(self._kept) or Last()).findings
        for told in added(before, last.findings):
            command = f" -> {told.command}" if told.command else ""
            logger.log(_LEVELS[told.severity], f"doctor: {_said(told)}{command}")
        for told in added(last.findings, before):
            logger.info(f"doctor: this is over: {_said(told)}")
        with contextlib.suppress(OSError):  # it is told once more then
            findings_file.write(self._kept, last, 0o600)
        self._on_change()


def _said(told: Told) -> str:
    whom = f"{told.name}: " if told.name else ""
    return f"{whom}{told.problem} ({told.check})"
