"""How much of what was sent its receivers have not read, where the bus tells.

dbus-daemon keeps what a client does not read, and holds it against its sender: from who has 127 MiB
with such clients (max_incoming_bytes) it reads nothing more.  One user with six connections had us
silent within two seconds.  It tells root how much it keeps for whom.  dbus-broker has no such
question, and holds what is kept against the client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

from .bus import NO_OWNER
from .bus_callers import ROOT
from .bus_calls import BusError
from .bus_driver import Driver

MIB = 1 << 20
#: Bytes that may be unread while answers are sent: by one connection, by all of a user but root, by
#: those of all users but root.
OF_ONE, OF_A_USER, OF_USERS = 16 * MIB, 32 * MIB, 64 * MIB
#: Beyond these for errors and other short answers.
FOR_ERRORS = MIB
#: By one connection: while it is sent signals, and before the bus is asked in good time.
FOR_SIGNALS, SOON = 2 * MIB, MIB // 4
#: Seconds between two looks at one connection.
PAUSE = 0.5
#: Connections of which something is remembered before it is looked who is still there.
_MOST = 256
_STATS = "org.freedesktop.DBus.Debug.Stats"


class _Account:
    """What a connection was sent and may not have read, in bytes, and when that was looked at."""

    def __init__(self) -> None:
        self.size = 0
        self.looked_at = 0.0


class Unread:
    """The accounts of one connection to the bus."""

    def __init__(self, driver: Driver, uid_of: Callable[[str], int | None]) -> None:
        """uid_of: whose a connection is; None where that is not known."""
        self._driver = driver
        self._uid_of = uid_of
        self._accounts: dict[str, _Account] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._is_told = True

    def sent(self, name: str, size: int) -> None:
        """So many bytes are on their way to a connection."""
        if not self._is_told:
            return
        if name not in self._accounts and len(self._accounts) >= _MOST:
            self._look_at(self._accounts)
        self._accounts.setdefault(name, _Account()).size += size

    def may_have(self, name: str, extra: int = 0) -> bool:
        """Whether it is sent an answer, as far as is known; extra: bytes beyond the limits."""
        suspects = self._suspects(name, extra)
        self._look_at(suspects)
        return not suspects

    def may_have_signal(self, name: str) -> bool:
        """The same of a signal."""
        account = self._accounts.get(name)
        if account is not None and account.size > SOON:
            self._look_at([name])
        return (account is None or account.size <= FOR_SIGNALS) and self.may_have(name)

    async def has_room(self, name: str) -> bool:
        """The same as `may_have`, of how it is and not how it was."""
        if looks := self._look_at(self._suspects(name, 0)):
            await asyncio.wait(looks)
        return not self._suspects(name, 0)

    def left(self, name: str) -> None:
        """What that connection has not read is gone with it."""
        self._accounts.pop(name, None)

    def close(self) -> None:
        """Nobody is looked at any more."""
        for look in self._looks.values():
            look.cancel()

    def _suspects(self, name: str, extra: int) -> list[str]:
        """Those by whom it cannot have more; none where it can."""
        account, uid = self._accounts.get(name), self._uid_of(name)
        if account is not None and account.size > OF_ONE + extra:
            return [name]
        if uid == ROOT:
            return []
        users = {each: self._uid_of(each) for each in self._accounts}
        of_user = [each for each, owner in users.items() if owner == uid and uid is not None]
        of_users = [each for each, owner in users.items() if owner != ROOT]
        if self._sum(of_user) > OF_A_USER + extra:
            return of_user
        return of_users if self._sum(of_users) > OF_USERS + extra else []

    def _sum(self, names: Iterable[str]) -> int:
        return sum(self._accounts[name].size for name in names)

    def _look_at(self, names: Iterable[str]) -> list[asyncio.Task[None]]:
        """Have the bus tell of these, of which it has not told just now."""
        return [look for name in list(names) for look in self._look(name)]

    def _look(self, name: str) -> Iterator[asyncio.Task[None]]:
        account = self._accounts[name]
        if name not in self._looks and time.monotonic() - account.looked_at >= PAUSE:
            task = asyncio.get_running_loop().create_task(self._ask(name, account))
            self._looks[name] = task
            task.add_done_callback(lambda _: self._looks.pop(name))
        if name in self._looks:
            yield self._looks[name]

    async def _ask(self, name: str, account: _Account) -> None:
        before = account.size
        try:
            call = ("GetConnectionStats", "s", (name,), "a{sv}")
            (found,) = await self._driver.ask(*call, interface=_STATS)
        except BusError as error:
            self._not_told(name, error)
            return
        unread = found.get("OutgoingBytes")
        if type(unread) is not int:
            self._tells_nothing()
            return
        account.size += unread - before
        account.looked_at = time.monotonic()
        if not account.size:
            self._accounts.pop(name, None)

    def _not_told(self, name: str, error: BusError) -> None:
        if error.name == NO_OWNER:
            self._accounts.pop(name, None)
        elif error.name:
            self._tells_nothing()

    def _tells_nothing(self) -> None:
        self._is_told = False
        self._accounts.clear()
