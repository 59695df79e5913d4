"""The Client whose answers are the running service's, over the system's bus."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..config.config import Config
from ..config.reading import Reading
from ..decisions.host_facts import HostFacts
from ..model.guest import GuestId
from ..model.plain import from_plain
from ..model.plan import RunKind
from ..model.record import Wanted
from ..model.result import RunResult
from . import bus_acting, bus_reading, bus_watching, queries
from .guest_settings import GuestSettings, settings_among
from .happened import Line
from .policy_wishes import wishes_of
from .reloading import refuse_mistakes
from .replies import (
    ChangedPolicy,
    ChangedSetting,
    PastRunInFull,
    Problems,
    Said,
    Status,
    Trail,
)
from .requests import Down, Failure, PolicyRequest, RequestError, Shown, Up
from .service_on_bus import ServiceOnBus, ask_service, readable


class _Changed(NamedTuple):
    """What SetPolicy answers; see ChangedPolicy."""

    changes: tuple[ChangedSetting, ...]
    remarks: tuple[str, ...]
    booked: bool


@dataclass(frozen=True)
class OverBus:
    """See Client.  Whoever the service answers sees all that it knows, of the host's guests."""

    config: Config
    uris: tuple[str, ...]
    complain: Callable[[str], None]
    sees_all: bool = True
    is_hosts: bool = True

    # Reading

    def facts(self) -> HostFacts:
        return ask_service(self._facts)

    async def _facts(self, service: ServiceOnBus) -> HostFacts:
        return await bus_reading.facts(service, self.complain)

    def status(self, *, hosts_files: bool) -> Status:
        return ask_service(lambda service: bus_reading.status(service, self.complain))

    def problems(self) -> Problems:
        return ask_service(self._problems)

    async def _problems(self, service: ServiceOnBus) -> Problems:
        facts = await self._facts(service)
        past = []
        for kind in (RunKind.PRESERVE, RunKind.RESTORE):
            past += await bus_reading.history(service, self.complain, 1, kind=kind)
        return queries.problems(facts, past)

    def history(
        self, count: int, names: Sequence[str] = (), kind: RunKind | None = None
    ) -> list[PastRunInFull]:
        async def work(service: ServiceOnBus) -> list[PastRunInFull]:
            return await bus_reading.history(service, self.complain, count, names, kind)

        return ask_service(work)

    def wanted_off(self) -> Collection[GuestId]:
        records = self.facts().records
        return {record.id for record in records if record.wanted is Wanted.OFF}

    def trail(
        self,
        name: str,
        uris: Collection[str] | None,
        listed: Collection[GuestId],
    ) -> Trail:
        return ask_service(lambda service: bus_reading.trail(service, self.complain, name, uris))

    def watch(self, show: Callable[[Line], bool]) -> None:
        bus_watching.watch(show, self.complain)

    def policy(self, found: Reading, name: str) -> GuestSettings:
        facts = self.facts()
        queries.refuse_unread(facts)
        return settings_among(found, facts.guests, name)

    # Acting

    def take_down(self, request: Down, shown: Shown) -> RunResult:
        return self._run(bus_acting.call_of_down(request), shown)

    def bring_up(self, request: Up, shown: Shown) -> RunResult:
        return self._run(bus_acting.call_of_up(request), shown)

    def _run(self, call: tuple[str, list[str], bus_acting.Options], shown: Shown) -> RunResult:
        async def work(service: ServiceOnBus) -> RunResult:
            return await bus_acting.begin_and_follow(service, call, shown, self.complain)

        return ask_service(work, acts=True)

    def attach(self, shown: Shown) -> RunResult | None:
        async def work(service: ServiceOnBus) -> RunResult | None:
            path = await bus_acting.current_run(service)
            if path is None:
                return None
            return await bus_acting.follow(service, path, shown, self.complain)

        return ask_service(work)

    def cancel(self, shown: Shown, *, mine: bool) -> RunResult | None:
        async def work(service: ServiceOnBus) -> RunResult | None:
            path = await bus_acting.current_run(service)
            if path is None:
                return None
            if mine:
                await bus_acting.refuse_others(service, path)
            return await bus_acting.cancel(service, path, shown, self.complain)

        return ask_service(work, acts=True)

    def hold(self, names: Sequence[str], reason: str | None) -> Said:
        return self._mark("Hold", names, reason)

    def release(self, names: Sequence[str], reason: str | None) -> Said:
        return self._mark("Release", names, reason)

    def forget(self, names: Sequence[str], reason: str | None) -> Said:
        return self._mark("Forget", names, reason)

    def _mark(self, member: str, names: Sequence[str], reason: str | None) -> Said:
        marked = self._act(member, list(names), bus_acting.said(reason))
        return [(name, text) for name, text in marked]

    def change_policy(self, found: Reading, request: PolicyRequest) -> ChangedPolicy:
        wishes_of(request)

        async def work(service: ServiceOnBus) -> _Changed:
            given, dropped = dict(request.given), list(request.dropped)
            options = bus_acting.said(request.reason)
            arguments = (request.guest, given, dropped, options)
            text = await bus_acting.ask_to_act(service, "SetPolicy", *arguments)
            with readable():
                return from_plain(_Changed, json.loads(text))

        changed = ask_service(work, acts=True)
        settings = self.policy(found, request.guest)
        return ChangedPolicy(settings, changed.changes, changed.remarks, changed.booked)

    def reload(self) -> list[str]:
        try:
            return [str(change) for change in self._act("Reload")]
        except RequestError as error:
            if error.failure is Failure.WRONG_REQUEST:
                refuse_mistakes()  # all of them: an error of the bus has no room for that
            raise

    def _act(self, member: str, *arguments: Any) -> Any:
        async def work(service: ServiceOnBus) -> Any:
            return await bus_acting.ask_to_act(service, member, *arguments)

        return ask_service(work, acts=True)
