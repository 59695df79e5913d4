"""What requests are answered with: values that are rendered, and what programs get of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ..model.finding import Finding
from ..model.guest import GuestId
from ..model.history import PastGuest, PastRun, PastStep, TrailEntry
from ..model.overview import Row
from ..model.plain import from_plain
from ..model.result import GuestResult, RunResult
from .guest_settings import GuestSettings
from .requests import Failure

#: Of each guest its name, and what is said of it.
Said = list[tuple[str, str]]
Trail = list[tuple[GuestId, TrailEntry]]


# Past runs


class PastRunInFull(NamedTuple):
    """A run, what became of each guest, and every step; under_way: it goes on."""

    run: PastRun
    guests: list[PastGuest]
    steps: list[PastStep]
    under_way: bool = False


def past_json(past: PastRunInFull) -> dict[str, Any]:
    """As `history --json` has it."""
    return {
        **asdict(past.run),
        "under_way": past.under_way,
        "guests": [asdict(guest) for guest in past.guests],
        "steps": [asdict(step) for step in past.steps],
    }


def past_of(json: Mapping[str, Any]) -> PastRunInFull:
    """The run that past_json was given.  Raises PlainError."""
    return from_plain(PastRunInFull, {**json, "run": json})


# Runs


def result_json(result: RunResult) -> dict[str, Any]:
    """The contract of `shutdown --json` and `start --json`."""
    return {
        "ok": result.ok,
        "run": result.run,
        "interrupted": result.interrupted,
        "unreadable": result.lost,
        "guests": [_guest_json(guest) for guest in result.guests],
    }


def _guest_json(guest: GuestResult) -> dict[str, Any]:
    return {
        "name": guest.name,
        "uuid": guest.guest.uuid,
        "uri": guest.guest.uri,
        "outcome": guest.outcome,
        "seconds": round(guest.seconds, 3),
        "reason": guest.reason,
        "unready": guest.unready or None,
        "steps": [
            {
                "step": step.step,
                "end": step.end,
                "seconds": round(step.seconds, 3),
                "reason": step.reason,
            }
            for step in guest.steps
        ],
    }


# What is wrong


@dataclass(frozen=True)
class Status:
    """values: everything, as `status --json` prints it.  findings: what hurts most first.

    seen: whether the ledger could be read; may_see: whether that is for this user to read.
    """

    values: dict[str, Any]
    findings: list[Finding]
    seen: bool
    may_see: bool


def finding_json(finding: Finding) -> dict[str, str | None]:
    """As `status --json` has it under "problems"."""
    guest = finding.guest
    return {
        "name": finding.name or None,
        "uuid": guest.uuid if guest else None,
        "uri": guest.uri if guest else None,
        "problem": finding.text,
        "command": finding.command or None,
    }


def finding_of(json: Mapping[str, Any]) -> Finding:
    """The finding that finding_json was given.  Raises PlainError."""
    told = from_plain(_ToldFinding, dict(json))
    guest = GuestId(told.uri, told.uuid) if told.uri and told.uuid else None
    return Finding(told.problem, told.command or "", told.name or "", guest)


class _ToldFinding(NamedTuple):
    problem: str
    name: str | None = None
    uuid: str | None = None
    uri: str | None = None
    command: str | None = None


@dataclass(frozen=True)
class Problems:
    """rows: of guests with which something is wrong.  failure: how incomplete that is."""

    rows: list[Row]
    findings: list[Finding]
    failure: Failure | None

    def of(self, row: Row) -> list[Finding]:
        """What is wrong with one of them."""
        return [finding for finding in self.findings if is_about(finding, row)]


def is_about(finding: Finding, row: Row) -> bool:
    """Whether it is of this guest."""
    if finding.guest is not None:
        return finding.guest == row.id
    return finding.name == row.name


# A guest's own settings


class ChangedSetting(NamedTuple):
    """What stands in the XML, and what stood there; None for nothing."""

    key: str
    value: str | None
    before: str | None

    def __str__(self) -> str:
        value = "not set any more" if self.value is None else f'"{self.value}"'
        before = "not set" if self.before is None else f'"{self.before}"'
        return f"{self.key} is {value}, was {before}"


@dataclass(frozen=True)
class ChangedPolicy:
    """settings: what counts now.  changes: what was written.  remarks: what its owner should know.
    is_booked: whether the guest's trail has it."""

    settings: GuestSettings
    changes: tuple[ChangedSetting, ...] = ()
    remarks: tuple[str, ...] = ()
    is_booked: bool = True
