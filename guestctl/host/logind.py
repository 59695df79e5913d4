"""logind: the early warning that the host goes down, and the time it gives.

The connection keeps itself up: when the bus or logind is restarted, everything is subscribed to,
read and taken anew.  No call starts logind (see `bus`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from .bus import CALL_LIMIT, DRIVER, BusError, Rule, SystemBus

NAME, PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"
IN_PROGRESS = "org.freedesktop.login1.OperationInProgress"
NO_OWNER = "org.freedesktop.DBus.Error.NameHasNoOwner"
#: logind 257 does not come back to a bus that was restarted: tried on Debian 13.
ABSENT = (
    "logind is not on the bus (where the bus was restarted without it,"
    " `systemctl restart systemd-logind` brings it back)"
)
#: Seconds until a lost bus is tried again: at first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
#: Seconds between looks while a shutdown is announced.
LOOK_AGAIN = 1.0


class Logind:
    """What logind says of the host's end, and the delay inhibitor that holds it up.

    `on_shutdown` is called with the kind ("poweroff", "reboot", "halt", "kexec", "soft-reboot",
    or "" where systemd 252 does not tell) each time a shutdown begins, and once more when its
    kind becomes known later.  `on_change` is called whenever what `connected`, `held`,
    `shutting_down` or `problem` say has changed.  Neither must block or raise.
    """

    def __init__(
        self,
        why: str,
        on_shutdown: Callable[[str], None],
        on_change: Callable[[], None],
        address: str = "",
    ) -> None:
        """why: what `systemd-inhibit --list` shows; address: of a bus, if not the system's."""
        self._why = why
        self._on_shutdown, self._on_change = on_shutdown, on_change
        self._address = address
        self._bus: SystemBus | None = None
        self._poke = asyncio.Event()
        self._wanted = False
        self._lock: int | None = None
        #: The lock is from before the bus or logind was restarted: another is to replace it.
        self._lock_is_old = False
        self._kind: str | None = None
        self._heard = 0
        self._connected, self._problem = False, ""
        self._shown: tuple[object, ...] = ()

    # -- what is known ---------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether logind answers, so that a shutdown will be heard of."""
        return self._connected

    @property
    def held(self) -> bool:
        """Whether an inhibitor is held.  It outlives restarts of the bus and of logind."""
        return self._lock is not None

    @property
    def shutting_down(self) -> bool:
        """Whether logind has announced a shutdown that it has not taken back."""
        return self._kind is not None

    @property
    def problem(self) -> str:
        """Why it is not connected, or holds no inhibitor that it should; else empty."""
        return self._problem

    async def preparing(self) -> bool | None:
        """Whether a shutdown is announced, read now; None when it could not be read.

        A shutdown cancelled in the delay window is seen here alone: systemd 257 sends no signal.
        """
        try:
            return bool(await self._property("PreparingForShutdown"))
        except BusError:
            return None

    async def delay(self) -> float | None:
        """Seconds that logind waits for inhibitors at most; None when it could not be read.

        From logind and not from its configuration, where drop-ins of other packages count too.
        """
        try:
            return float(await self._property("InhibitDelayMaxUSec")) / 1e6
        except BusError:
            return None

    def _connection(self) -> SystemBus:
        if self._bus is None:
            raise BusError("", "there is no connection to the bus")
        return self._bus

    async def _property(self, name: str) -> Any:
        return await self._connection().get_property(NAME, PATH, MANAGER, name, timeout=CALL_LIMIT)

    # -- the inhibitor ---------------------------------------------------------------------------

    def hold(self, wanted: bool) -> None:
        """Whether an inhibitor is to be held: dropped at once, taken as soon as logind lets us."""
        self._wanted = wanted
        if not wanted:
            self._replace_lock(None)
        self._poke.set()
        self._tell()

    def _replace_lock(self, lock: int | None) -> None:
        old, self._lock, self._lock_is_old = self._lock, lock, False
        if old is not None:
            os.close(old)

    async def _take(self) -> None:
        """Have an inhibitor if one is wanted; BusError, such as IN_PROGRESS.

        A new one is taken before an old one is let go, so that there is always one.
        """
        if not self._wanted or (self._lock is not None and not self._lock_is_old):
            return
        arguments = ("shutdown", "guestctl", self._why, "delay")
        bus = self._connection()
        lock = await bus.call_for_fd(
            NAME, PATH, MANAGER, "Inhibit", "ssss", arguments, timeout=CALL_LIMIT
        )
        self._replace_lock(lock)
        if not self._wanted:  # that changed while logind answered
            self._replace_lock(None)

    # -- following logind ------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow logind until cancelled; then let the inhibitor go."""
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    await self._session()
                except BusError as error:
                    self._lost(str(error))
                    pause = min(pause * 2, LAST_PAUSE)
                else:
                    self._lost("the connection to the bus has ended")
                    pause = FIRST_PAUSE
                await asyncio.sleep(pause)
        finally:
            self._replace_lock(None)

    async def _session(self) -> None:
        """From a connection to its end; BusError when there is none to be had."""
        bus = await SystemBus.connect(self._address, negotiate_unix_fd=True)
        closed = asyncio.ensure_future(bus.wait_closed())
        closed.add_done_callback(lambda _: self._poke.set())
        try:
            await self._subscribe(bus)
            self._bus, self._lock_is_old = bus, True
            while not bus.closed:
                self._poke.clear()
                await self._until_poked(await self._look_and_take())
        finally:
            self._bus = None
            closed.cancel()
            bus.close()

    async def _subscribe(self, bus: SystemBus) -> None:
        signals = {
            "PrepareForShutdownWithMetadata": self._hear,  # 254 on, and comes first
            "PrepareForShutdown": self._hear,
        }
        owner = Rule(DRIVER, DRIVER, "NameOwnerChanged", arg0=NAME)
        await bus.subscribe(owner, self._hear_of_restart)
        for member, handler in signals.items():
            await bus.subscribe(Rule(NAME, MANAGER, member, PATH), handler)

    def _hear(self, body: list[Any]) -> None:
        """PrepareForShutdown: it begins, or it is off."""
        begins, metadata = body[0], body[1] if len(body) > 1 else {}
        self._heard += 1
        if begins:
            self._begins(str(metadata.get("type", "")))
        else:
            self._ends()
        self._poke.set()

    def _hear_of_restart(self, body: list[Any]) -> None:
        """logind came or went; a new one finds our inhibitor in /run, but better safe."""
        self._lock_is_old = True
        if not body[2]:
            self._lost(ABSENT)
        self._poke.set()

    async def _look_and_take(self) -> float | None:
        """Bring everything up to date; seconds until that is to be done again, if at all."""
        try:
            await self._look()
            await self._take()
        except BusError as error:
            self._problem = ABSENT if error.name == NO_OWNER else str(error)
            self._tell()
            return LOOK_AGAIN if error.name == IN_PROGRESS else LAST_PAUSE
        self._problem = ""
        self._tell()
        # Only looking tells that a shutdown was cancelled (see `preparing`).
        return LOOK_AGAIN if self.shutting_down else None

    async def _look(self) -> None:
        heard = self._heard
        try:
            preparing = await self._property("PreparingForShutdown")
        except BusError:
            self._connected = False
            raise
        if not self._connected:
            self._connected, self._problem = True, ""
        if heard != self._heard:
            return  # a signal is newer than this answer
        if preparing:
            self._begins("")
        else:
            self._ends()

    def _begins(self, kind: str) -> None:
        """A shutdown is announced.

        Where the kind is told, it is another shutdown: 257 sends nothing when the one before was
        cancelled.  Without a kind, it may be the one that is known already.
        """
        if self._kind is not None and not kind:
            return
        self._kind = kind
        self._on_shutdown(kind)
        self._tell()

    def _ends(self) -> None:
        self._kind = None
        self._tell()

    def _lost(self, problem: str) -> None:
        self._connected, self._problem = False, problem
        self._tell()

    def _tell(self) -> None:
        """Call `on_change` if anything that is shown has changed."""
        now = (self._connected, self.held, self._kind, self._problem)
        if now != self._shown:
            self._shown = now
            self._on_change()

    async def _until_poked(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poke.wait()
