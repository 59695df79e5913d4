"""Who is told of signals, until they leave the bus."""

from __future__ import annotations

from collections.abc import Iterator

from .bus_callers import ROOT, Caller
from .bus_calls import BusError
from .bus_departures import ignore, rule_of
from .bus_driver import Driver
from .bus_errors import CallError, Standard

#: How many there may be: of a user but root, of all users but root, in all.
OF_A_USER, OF_USERS, IN_ALL = 8, 48, 64


class _Subscriber:
    def __init__(self, uid: int) -> None:
        self.uid = uid


class Subscribers:
    """Those of one connection to the bus."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._by_name: dict[str, _Subscriber] = {}

    def __iter__(self) -> Iterator[str]:
        """Their unique names."""
        return iter(list(self._by_name))

    def __bool__(self) -> bool:
        return bool(self._by_name)

    async def add(self, caller: Caller) -> None:
        """Have it among them, from now on; CallError."""
        if caller.name in self._by_name:
            return
        self._check_room(caller.uid)
        subscriber = self._by_name[caller.name] = _Subscriber(caller.uid)
        try:
            is_there = await self._watch(caller.name)
        except BaseException:
            self._forget(caller.name, subscriber)
            raise
        if not is_there:
            self._forget(caller.name, subscriber)

    def remove(self, name: str) -> None:
        """No longer; nothing where it is none."""
        subscriber = self._by_name.get(name)
        if subscriber is not None:
            self._forget(name, subscriber)

    async def _watch(self, name: str) -> bool:
        """Be told when it leaves; whether it is still there, and not gone before that."""
        try:
            await self._driver.ask("AddMatch", "s", (rule_of(name),), "")
            (is_there,) = await self._driver.ask("NameHasOwner", "s", (name,), "b")
        except BusError as error:
            raise CallError(Standard.FAILED, f"the bus does not tell of you: {error}") from error
        return bool(is_there)

    def _forget(self, name: str, subscriber: _Subscriber) -> None:
        if self._by_name.get(name) is not subscriber:
            return
        del self._by_name[name]
        ignore(self._driver, name)

    def _check_room(self, uid: int) -> None:
        users = [each.uid for each in self._by_name.values()]
        others = len(users) - users.count(ROOT)
        if len(users) >= IN_ALL or (uid != ROOT and others >= OF_USERS):
            raise CallError(Standard.LIMITS_EXCEEDED, f"{len(users)} have subscribed already")
        if uid != ROOT and users.count(uid) >= OF_A_USER:
            text = f"this user has subscribed {OF_A_USER} times already"
            raise CallError(Standard.LIMITS_EXCEEDED, text)
