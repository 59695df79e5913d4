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

from .bus import CALL_LIMIT, DRIVER, NO_OWNER, BusError, Rule, SystemBus

NAME, PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"
IN_PROGRESS = "org.freedesktop.login1.OperationInProgress"
#: The signals that a shutdown begins, and their signatures; with metadata from 254 on, where that
#: one comes first.
_ANNOUNCEMENTS = (("PrepareForShutdownWithMetadata", "ba{sv}"), ("PrepareForShutdown", "b"))
#: logind 257 does not come back to a bus that was restarted: tried on Debian 13.
ABSENT = (
    "logind is not on the bus (where the bus was restarted without it,"
    " `systemctl restart systemd-logind` brings it back)"
)
#: Seconds until a lost bus is tried again: at first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
#: Seconds between readings while a shutdown is announced.
READ_AGAIN = 1.0


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
        self._inhibitor = _Inhibitor(why, address)
        self._state = _State(self._inhibitor, on_shutdown, on_change)
        self._address = address
        self._session: _Session | None = None

    @property
    def connected(self) -> bool:
        """Whether logind answers, so that a shutdown will be heard of."""
        return self._state.connected

    @property
    def held(self) -> bool:
        """Whether an inhibitor is held.  It outlives restarts of the bus and of logind."""
        return self._inhibitor.held

    @property
    def shutting_down(self) -> bool:
        """Whether logind has announced a shutdown that it has not taken back."""
        return self._state.kind is not None

    @property
    def problem(self) -> str:
        """Why it is not connected, or holds no inhibitor that it should; else empty."""
        return self._state.problem

    async def preparing(self) -> bool | None:
        """Whether a shutdown is announced, read now; None when it could not be read.

        A shutdown cancelled in the delay window is seen here alone: systemd 257 sends no signal.
        """
        try:
            return bool(await self._property("PreparingForShutdown", "b"))
        except BusError:
            return None

    async def delay(self) -> float | None:
        """Seconds that logind waits for inhibitors at most; None when it could not be read.

        From logind and not from its configuration, where drop-ins of other packages count too.
        """
        try:
            return float(await self._property("InhibitDelayMaxUSec", "t")) / 1e6
        except BusError:
            return None

    async def _property(self, name: str, signature: str) -> Any:
        if self._session is None:
            raise BusError("", "there is no connection to the bus")
        return await self._session.read(name, signature)

    def inhibit(self, wanted: bool) -> None:
        """Whether an inhibitor is to be held: dropped at once, taken as soon as logind lets us."""
        self._inhibitor.want(wanted)
        if self._session is not None:
            self._session.wake()
        self._state.tell()

    async def run(self) -> None:
        """Follow logind until cancelled; then let the inhibitor go."""
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    await self._follow()
                except BusError as error:
                    self._state.lost(str(error))
                    pause = min(pause * 2, LAST_PAUSE)
                else:
                    self._state.lost("the connection to the bus has ended")
                    pause = FIRST_PAUSE
                await asyncio.sleep(pause)
        finally:
            self._inhibitor.release()

    async def _follow(self) -> None:
        """From a connection to its end; BusError when there is none to be had."""
        bus = await SystemBus.connect(self._address)
        session = _Session(bus, self._state, self._inhibitor)
        closed = asyncio.ensure_future(bus.wait_closed())
        closed.add_done_callback(lambda _: session.wake())
        try:
            await session.subscribe()
            self._session = session
            await session.keep_current()
        finally:
            self._session = None
            closed.cancel()
            bus.close()


class _Inhibitor:
    """The delay inhibitor: a descriptor, for whose end logind waits."""

    def __init__(self, why: str, address: str) -> None:
        self._why, self._address = why, address
        self._wanted = False
        self._lock: int | None = None
        self._is_old = False

    @property
    def held(self) -> bool:
        return self._lock is not None

    def want(self, wanted: bool) -> None:
        self._wanted = wanted
        if not wanted:
            self.release()

    def release(self) -> None:
        self._replace(None)

    def outdate(self) -> None:
        """It is from before the bus or logind was restarted: another is to replace it."""
        self._is_old = True

    async def take(self) -> None:
        """Have an inhibitor if one is wanted; BusError, such as IN_PROGRESS.

        A new one is taken before an old one is let go, so that there is always one.
        """
        if not self._wanted or (self._lock is not None and not self._is_old):
            return
        arguments = ("shutdown", "guestctl", self._why, "delay")
        self._replace(await self._asked_for(arguments))
        if not self._wanted:  # that changed while logind answered
            self.release()

    async def _asked_for(self, arguments: tuple[str, ...]) -> int:
        """Over a connection that lasts no longer: any local user may send descriptors to one that
        takes some, and to close theirs may block for as long as they like (SO_LINGER, FUSE).
        """
        bus = await SystemBus.connect(self._address, negotiate_unix_fd=True)
        try:
            call = (NAME, PATH, MANAGER, "Inhibit", "ssss", arguments)
            return await bus.call_for_fd(*call, timeout=CALL_LIMIT)
        finally:
            bus.close()

    def _replace(self, lock: int | None) -> None:
        old, self._lock, self._is_old = self._lock, lock, False
        if old is not None:
            os.close(old)


class _State:
    """What is known of logind and of the shutdown that it has announced; tells each change."""

    def __init__(
        self,
        inhibitor: _Inhibitor,
        on_shutdown: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self._inhibitor = inhibitor
        self._on_shutdown, self._on_change = on_shutdown, on_change
        self.connected, self.problem = False, ""
        #: Of the shutdown that is announced; None without any.
        self.kind: str | None = None
        self._told: tuple[object, ...] = ()

    def begins(self, kind: str) -> None:
        """A shutdown is announced.

        Where the kind is told, it is another shutdown: 257 sends nothing when the one before was
        cancelled.  Without a kind, it may be the one that is known already.
        """
        if self.kind is not None and not kind:
            return
        self.kind = kind
        self._on_shutdown(kind)
        self.tell()

    def ends(self) -> None:
        """No shutdown is announced, or no longer."""
        self.kind = None
        self.tell()

    def reached(self) -> None:
        """logind answers; what is wrong besides turns out next."""
        if not self.connected:
            self.connected, self.problem = True, ""

    def lost(self, problem: str) -> None:
        self.connected, self.problem = False, problem
        self.tell()

    def tell(self) -> None:
        """Call `on_change` if anything that is shown has changed."""
        now = (self.connected, self._inhibitor.held, self.kind, self.problem)
        if now != self._told:
            self._told = now
            self._on_change()


class _Session:
    """One connection to the bus, over which state and inhibitor are kept current."""

    def __init__(self, bus: SystemBus, state: _State, inhibitor: _Inhibitor) -> None:
        self._bus = bus
        self._state = state
        self._inhibitor = inhibitor
        self._woken = asyncio.Event()
        self._announcements = 0

    def wake(self) -> None:
        """There is something to bring up to date, or the connection has ended."""
        self._woken.set()

    async def read(self, name: str, signature: str) -> Any:
        """A property of logind's; BusError."""
        of = (NAME, PATH, MANAGER)
        return await self._bus.get_property(*of, name, signature, timeout=CALL_LIMIT)

    async def subscribe(self) -> None:
        """Have logind's signals come; BusError."""
        owner = Rule(DRIVER, DRIVER, "NameOwnerChanged", "sss", arg0=NAME)
        await self._bus.subscribe(owner, self._on_owner)
        for member, form in _ANNOUNCEMENTS:
            rule = Rule(NAME, MANAGER, member, form, PATH)
            await self._bus.subscribe(rule, self._on_announcement)

    def _on_announcement(self, body: list[Any]) -> None:
        """PrepareForShutdown: it begins, or it is off."""
        begins, metadata = body[0], body[1] if len(body) > 1 else {}
        self._announcements += 1
        if begins:
            self._state.begins(str(metadata.get("type", "")))
        else:
            self._state.ends()
        self.wake()

    def _on_owner(self, body: list[Any]) -> None:
        """logind came or went; a new one finds our inhibitor in /run, but better safe."""
        self._inhibitor.outdate()
        if not body[2]:
            self._state.lost(ABSENT)
        self.wake()

    async def keep_current(self) -> None:
        """Until the connection ends."""
        self._inhibitor.outdate()
        while not self._bus.closed:
            self._woken.clear()
            await self._until_woken(await self._refresh())

    async def _refresh(self) -> float | None:
        """Bring everything up to date; seconds until that is to be done again, if at all."""
        try:
            await self._read_announced()
            await self._inhibitor.take()
        except BusError as error:
            self._state.problem = ABSENT if error.name == NO_OWNER else str(error)
            self._state.tell()
            return READ_AGAIN if error.name == IN_PROGRESS else LAST_PAUSE
        self._state.problem = ""
        self._state.tell()
        # Only reading tells that a shutdown was cancelled (see `Logind.preparing`).
        return READ_AGAIN if self._state.kind is not None else None

    async def _read_announced(self) -> None:
        announcements = self._announcements
        try:
            preparing = await self.read("PreparingForShutdown", "b")
        except BusError:
            self._state.connected = False
            raise
        self._state.reached()
        if announcements != self._announcements:
            return  # a signal is newer than this answer
        if preparing:
            self._state.begins("")
        else:
            self._state.ends()

    async def _until_woken(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
