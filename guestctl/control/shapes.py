"""What JSON of the service must have for verbs to render it; more is as good."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..model.history import PastRun
from ..model.plain import from_plain
from .happened import Line

_Values = dict[str, Any]


def check_status(values: _Values) -> None:
    """Of `status --json`.  Raises PlainError."""
    from_plain(_Status, values)
    if "pid" in values["service"]:
        from_plain(_Running, values["service"])


def check_line(line: Line) -> None:
    """Of `watch --json`.  Raises PlainError."""
    from_plain(_OfTrail if "source" in line else _Event, line)


class _Wanted(NamedTuple):
    on: int
    off: int
    held: int


class _Logind(NamedTuple):
    connected: bool
    inhibitor: bool
    problem: str | None = None


class _Configuration(NamedTuple):
    source: str


class _Waiting(NamedTuple):
    name: str


class _Shed(NamedTuple):
    name: str
    since: int | None
    reason: str


class _Service(NamedTuple):
    """Whatever becomes of it; see _Running for one that runs."""

    running: bool | None
    logind: _Logind | None = None
    configuration: _Configuration | None = None
    connections: dict[str, str] | None = None
    as_found: tuple[str, ...] = ()
    up: list[str] | None = None
    waiting: tuple[_Waiting, ...] = ()


class _Running(NamedTuple):
    since: int
    activity: str


class _Doctor(NamedTuple):
    at: int
    errors: int
    warnings: int


class _Status(NamedTuple):
    problems: list[_Values]
    service: _Service
    guard: str
    inhibit_delay: float | None
    owns_autostart: list[str]
    unmatched: list[str]
    wanted: _Wanted | None
    current_run: PastRun | None
    last_run: PastRun | None
    doctor: _Doctor | None = None
    shed: tuple[_Shed, ...] = ()


class _Event(NamedTuple):
    at: int
    name: str
    event: str
    detail: str
    by_guest: bool | None


class _OfTrail(NamedTuple):
    at: int
    name: str
    source: str
    reason: str
