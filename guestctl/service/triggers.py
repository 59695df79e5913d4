"""What triggers the host's end: logind's announcement, and SIGTERM while the host stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..model.ports import Login
from .waiting import first

logger = logging.getLogger(__name__)

#: How often it is looked whether a shutdown was cancelled: no signal tells (systemd 252, 257).
CANCEL_POLL = 1.0
#: How long a logind that does not answer is waited for before guests are started, and how often
#: it is asked.
LOGIND_LIMIT, LOGIND_POLL = 5.0, 0.2


class Triggers:
    """What has triggered the host's end so far.

    is_stopping: whether systemd is taking the host down, None when nobody answers.
    kind_of_stop: in which way it does, empty where it does not tell.
    Announced, terminated, cancelled: the methods ask for, or wait for, one of these each, and each
    waits for more than one.
    """

    def __init__(
        self,
        logind: Login,
        is_stopping: Callable[[], Awaitable[bool | None]],
        kind_of_stop: Callable[[], Awaitable[str]],
    ) -> None:
        self._logind = logind
        self._is_stopping = is_stopping
        self._kind_of_stop = kind_of_stop
        self._announced = asyncio.Event()
        self._terminated = asyncio.Event()
        #: Somebody has seen that the shutdown is cancelled; and it was, since it was announced.
        self._suspicion = asyncio.Event()
        self._is_off = False
        #: What kind of shutdown, as far as it is known; and that it may be another one.
        self.kind = ""
        self._told_again = asyncio.Event()

    def announce(self, kind: str) -> None:
        """logind announces a shutdown, which waits for those who hold an inhibitor."""
        if kind and kind != self.kind:
            self.kind = kind
            self._told_again.set()
        if not self._announced.is_set():
            logger.info(f"logind announces that the host goes down ({kind or 'kind unknown'})")
        self._is_off = False
        self._announced.set()

    def terminate(self) -> None:
        """SIGTERM: the service is to end, maybe because the host does."""
        self._terminated.set()
        self._told_again.set()

    async def find_kind(self) -> str:
        """In which way the host goes down, in systemd's words; empty where nobody tells.

        systemd is asked where logind did not tell, and once it stops units: it knows best then.
        """
        self._told_again.clear()
        if not self.kind or self.is_terminated:
            self.kind = await self._kind_of_stop() or self.kind
        return self.kind

    async def until_told_again(self) -> None:
        """Until the kind may be another than `find_kind` found."""
        await self._told_again.wait()
        self._told_again.clear()

    @property
    def is_terminated(self) -> bool:
        """Whether SIGTERM came: from then on only systemd can give more time."""
        return self._terminated.is_set()

    async def until_terminated(self) -> None:
        """Until SIGTERM comes."""
        await self._terminated.wait()

    async def next(self) -> bool:
        """Until there is something to do: True when the host goes down, False to end only."""
        await first(self._announced.wait(), self._terminated.wait())
        return self._announced.is_set() or await self._host_stops()

    async def _host_stops(self) -> bool:
        answer = await self._is_stopping()
        if answer is None:
            text = "cannot tell whether the host is stopping: no guest is touched"
            logger.error(text)
        return bool(answer)

    async def until_host_stays(self) -> None:
        """Until nobody says that the host goes down: nobody is to be started before."""
        while True:
            if not await self._is_going_down():
                return
            await asyncio.sleep(CANCEL_POLL)

    async def _is_going_down(self) -> bool:
        """A logind that does not answer yet, as when the service has just begun, is waited for."""
        end = asyncio.get_running_loop().time() + LOGIND_LIMIT
        preparing = await self._logind.preparing()
        while preparing is None and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(LOGIND_POLL)
            preparing = await self._logind.preparing()
        return bool(preparing) or bool(await self._is_stopping())

    async def until_cancelled(self) -> None:
        """Until it turns out that the announced shutdown does not come after all."""
        while not await self._is_surely_cancelled():
            await first(asyncio.sleep(CANCEL_POLL), self._suspicion.wait())
            self._suspicion.clear()
        self._is_off = True
        self.kind = ""
        self._announced.clear()

    async def _is_surely_cancelled(self) -> bool:
        try:
            return await self.is_cancelled()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not bring guests back
            text = f"internal error, the shutdown does not count as cancelled: {error!r}"
            logger.error(text)
            return False

    async def is_cancelled(self) -> bool:
        """Whether the shutdown that was announced was cancelled.

        It shows in logind's property only.  Once systemd stops units there is no way back.
        """
        if not self._announced.is_set() or self._terminated.is_set():
            return False
        return await self._logind.preparing() is False and await self._is_stopping() is False

    async def checkpoint(self) -> None:
        """Awaited before each step of a run: shut once the shutdown is cancelled.

        The run is cancelled then.  It opens again for another shutdown, or when systemd stops us.
        """
        while await self._is_closed():
            self._suspicion.set()
            await asyncio.sleep(CANCEL_POLL)

    async def _is_closed(self) -> bool:
        return (self._is_off and not self._terminated.is_set()) or await self.is_cancelled()
