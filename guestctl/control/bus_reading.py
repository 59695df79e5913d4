"""What the service knows, asked over the bus and read into the values that verbs render."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..decisions.host_facts import HostFacts
from ..model.guest import GuestId
from ..model.history import TrailEntry
from ..model.plain import from_plain
from ..model.plan import RunKind
from .facts_text import from_text
from .replies import PastRunInFull, Status, Trail, finding_of, past_of
from .service_on_bus import ServiceOnBus, readable
from .shapes import check_status

Complain = Callable[[str], None]


async def facts(service: ServiceOnBus, complain: Complain) -> HostFacts:
    """What is seen and known now.  Whoever may ask may see what is wanted of the guests."""
    text, complaints = await service.ask("GetFacts")
    _pass_on(complaints, complain)
    with readable():
        return replace(from_text(text), may_see=True)


async def status(service: ServiceOnBus, complain: Complain) -> Status:
    """How it is now.  Whoever may ask may see it."""
    text, complaints = await service.ask("GetStatus")
    _pass_on(complaints, complain)
    with readable():
        values = _values(text, dict)
        check_status(values)
        findings = [finding_of(problem) for problem in values["problems"]]
        return Status(values, findings, seen=values["wanted"] is not None, may_see=True)


async def history(
    service: ServiceOnBus,
    complain: Complain,
    count: int,
    names: Sequence[str] = (),
    kind: RunKind | None = None,
) -> list[PastRunInFull]:
    """The newest runs, newest first; as of Client."""
    text, complaints = await service.ask("GetHistory", count, list(names), str(kind or ""))
    _pass_on(complaints, complain)
    with readable():
        return [past_of(run) for run in _values(text, list)]


class _Line(NamedTuple):
    """Of a trail."""

    uri: str
    uuid: str
    source: str
    reason: str
    at: int


async def trail(
    service: ServiceOnBus, complain: Complain, name: str, uris: Collection[str] | None
) -> Trail:
    """What is recorded of guests of this name or UUID, oldest first; as of Client."""
    text, complaints = await service.ask("Why", name)
    _pass_on(complaints, complain)
    with readable():
        lines = [from_plain(_Line, line) for line in _values(text, list)]
    return [
        (GuestId(line.uri, line.uuid), TrailEntry(line.source, line.reason, line.at))
        for line in lines
        if uris is None or line.uri in uris
    ]


def _values(text: str, kind: type) -> Any:
    """What the JSON says; ValueError where that is nothing of the kind."""
    values = json.loads(text)
    if not isinstance(values, kind):
        raise ValueError(f"expected a {kind.__name__}, not {type(values).__name__}")
    return values


def _pass_on(complaints: Iterable[str], complain: Complain) -> None:
    for complaint in complaints:
        complain(complaint)
