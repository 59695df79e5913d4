"""Who calls over the bus: what the bus says of them, and how much each may have under way."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import NamedTuple, TypeVar

from .bus import NO_OWNER
from .bus_calls import BusError
from .bus_departures import ignore, listen
from .bus_driver import Driver
from .bus_errors import CallError, Standard

K = TypeVar("K")
#: The user that limits for users do not hold.
ROOT = 0
#: Calls that may be under way: of one connection, of a user but root, of all users but root, in
#: all.
OF_A_CONNECTION, OF_A_USER, OF_USERS, IN_ALL = 8, 32, 112, 128
#: Connections that are known: what they are, until the bus tells that they have left.
_MOST_KNOWN = 256


class Caller(NamedTuple):
    """Who calls, by what the bus says.

    name: unique, and never given to another one while the bus runs.  interactive: whether polkit
    may ask the user about this call.
    """

    name: str
    uid: int
    pid: int
    interactive: bool


class _Who(NamedTuple):
    uid: int
    pid: int


class Place:
    """Of a call under way, among as many as its connection and its user may have."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: None until it is known whose it is.
        self.uid: int | None = None
        self.is_free = False


class Callers:
    """The callers of one connection to the bus."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        #: None of whom the bus has yet to say what they are.
        self._known: OrderedDict[str, _Who | None] = OrderedDict()
        self._of_connections: Counter[str] = Counter()
        self._of_users: Counter[int] = Counter()

    def check_room(self, name: str) -> None:
        """CallError where this connection may have no further call under way."""
        if self._of_connections[name] >= OF_A_CONNECTION:
            raise _too_many(f"{OF_A_CONNECTION} of this connection")
        if self._of_connections.total() >= IN_ALL:
            raise _too_many(f"{IN_ALL} in all")
        who = self._known.get(name)
        if who is not None:
            self._check_user(who.uid)

    def uid_of(self, name: str) -> int | None:
        """Whose that connection is, if that was asked for lately."""
        who = self._known.get(name)
        return None if who is None else who.uid

    def begun(self, name: str) -> Place:
        """Count a call of this connection, until it has `ended`."""
        if name not in self._known:
            self._meet(name)
        self._of_connections[name] += 1
        return Place(name)

    def count(self, place: Place, uid: int) -> None:
        """Count it as its user's as well; CallError where that one may have no further."""
        self._check_user(uid)
        self._of_users[uid] += 1
        place.uid = uid

    def ended(self, place: Place) -> None:
        """It is no longer under way, or nobody waits for it; may be called again."""
        if place.is_free:
            return
        place.is_free = True
        _count_down(self._of_connections, place.name)
        if place.uid is not None:
            _count_down(self._of_users, place.uid)

    def left(self, name: str) -> None:
        """It has left the bus, and never comes back."""
        if name in self._known:
            del self._known[name]
            ignore(self._driver, name)

    async def identify(self, name: str, *, interactive: bool, anew: bool = False) -> Caller | None:
        """Who that is; None where they have left the bus, CallError where the bus does not say.

        What a connection is never changes: who is known is asked for again only where it matters
        whether they are still there (anew).
        """
        who = None if anew else self._known.get(name)
        if who is None:
            who = await self._ask(name)
        if who is None:
            self.left(name)
            return None
        self._known[name] = who
        self._known.move_to_end(name)
        return Caller(name, who.uid, who.pid, interactive)

    def _meet(self, name: str) -> None:
        """Before it is asked for: who leaves after that is told of."""
        self._known[name] = None
        listen(self._driver, name)
        if len(self._known) > _MOST_KNOWN:
            self.left(next(each for each in self._known if not self._of_connections[each]))

    async def _ask(self, name: str) -> _Who | None:
        """In two questions: GetConnectionCredentials has a descriptor in its answer, for which
        dbus-broker 36 ends a connection that takes none.
        """
        try:
            (uid,) = await self._driver.ask("GetConnectionUnixUser", "s", (name,), "u")
            (pid,) = await self._driver.ask("GetConnectionUnixProcessID", "s", (name,), "u")
        except BusError as error:
            if error.name == NO_OWNER:
                return None
            raise CallError(Standard.FAILED, f"the bus does not say who calls: {error}") from error
        return _Who(uid, pid)

    def _check_user(self, uid: int) -> None:
        if uid == ROOT:
            return
        if self._of_users[uid] >= OF_A_USER:
            raise _too_many(f"{OF_A_USER} of this user")
        if self._of_users.total() - self._of_users[ROOT] >= OF_USERS:
            raise _too_many(f"{OF_USERS} of all users but root")


def _count_down(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def _too_many(which: str) -> CallError:
    return CallError(Standard.LIMITS_EXCEEDED, f"too many calls are under way: {which} at most")
