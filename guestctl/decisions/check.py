"""What a check of the doctor is.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from ..model.finding import Finding, Severity
from .host_state import HostState


class AtTakeover(Enum):
    """What an error is to `guestctl takeover`: it keeps it from taking over; it is gone by that; or
    it holds whoever is in charge, and is shown."""

    ENDS = auto()
    MENDED = auto()
    AS_BEFORE = auto()


@dataclass(frozen=True)
class Check:
    """One row of the doctor's table; docs/reference/doctor.md is made from it.

    name: stable, and in the contract of `--json`: small letters and hyphens.
    title: what is looked at, in a few words.  meaning: what a finding means for guests.
    remedy: what to do about it, in words.  at_takeover: of errors.
    find: what is wrong, evidence with it; check and severity of its findings are filled in.  It
    uses `known()` on each part that it needs, so that it is not taken for passed where that could
    not be seen.  cheap: the service's daily look has it as well.
    """

    name: str
    severity: Severity
    title: str
    meaning: str
    remedy: str
    find: Callable[[HostState], Iterable[Finding]]
    cheap: bool = True
    at_takeover: AtTakeover = AtTakeover.ENDS
