"""What the doctor found last, in a file: for the service's journal, and for `status`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...host.own_files import replace
from ...model.plain import PlainError, from_plain, to_plain

_NAME = "doctor.json"
#: Sizes and times in texts: the same is wrong, and is not told anew each day.
_NUMBERS = re.compile(r"\d+(\.\d+)?")


class Told(NamedTuple):
    """Of a finding, what `doctor --json` has of it; name: of its guest, or ""."""

    check: str
    severity: str
    name: str
    problem: str
    command: str

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same for the same fault."""
        return (self.check, self.severity, self.name, _NUMBERS.sub("#", self.problem))


class Last(NamedTuple):
    """at: when that was, in nanoseconds since the epoch.  findings: but for notes."""

    at: int = 0
    findings: tuple[Told, ...] = ()

    def count(self, severity: str) -> int:
        """How many are so bad."""
        return sum(told.severity == severity for told in self.findings)


def write(folder: Path, last: Last, mode: int = 0o644) -> None:
    """Keep it in that folder, whole.  Raises OSError."""
    replace(folder / _NAME, json.dumps(to_plain(last)), mode)


def read(folder: Path) -> Last | None:
    """What is kept there; None for nothing, or nothing that can be read."""
    with contextlib.suppress(OSError, ValueError, PlainError):
        found: Any = json.loads((folder / _NAME).read_text())
        return from_plain(Last, found)
    return None


def added(before: Collection[Told], now: Sequence[Told]) -> list[Told]:
    """Those of now that were not there before."""
    known = {told.key for told in before}
    return [told for told in now if told.key not in known]
