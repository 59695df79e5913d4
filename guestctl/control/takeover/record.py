"""What there was before a takeover, and how far it is: /var/lib/guestctl/takeover.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ...host import machine, own_files
from ..failure import Failure, RequestError
from .step import Before

FILE = machine.SYSTEM_STATE / "takeover.json"
#: In the run folder: whoever takes over or hands back holds it.
LOCK = "takeover.lock"
_VERSION = 1


class Progress(StrEnum):
    """How far a step is.  begun: it may have been done in part."""

    NOT_BEGUN = "not begun"
    BEGUN = "begun"
    DONE = "done"


@dataclass(frozen=True)
class Entry:
    """Of a step."""

    before: Before
    progress: Progress = Progress.NOT_BEGUN

    @property
    def is_touched(self) -> bool:
        """Whether there is something to undo."""
        return self.progress is not Progress.NOT_BEGUN


@dataclass(frozen=True)
class Record:
    """Of all steps, by name.  complete: nothing of the takeover is left to do."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    complete: bool = False

    def having(self, name: str, entry: Entry) -> Record:
        """With this for a step."""
        return replace(self, entries={**self.entries, name: entry})


class Store:
    """The file; whoever is killed leaves what was there before, or what comes next."""

    def __init__(self, file: Path = FILE) -> None:
        self.file = file

    def read(self) -> Record | None:
        """None where nobody took over, or all was handed back; RequestError for a damaged one."""
        try:
            return _record(json.loads(self.file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unusable("it is damaged") from error

    def _unusable(self, why: str) -> RequestError:
        text = f"cannot use {self.file}, which says what there was before the takeover: {why}"
        hint = "move it away; then `guestctl handback` goes by what it finds"
        return RequestError(Failure.NOT_ALL_WELL, f"{text}; {hint}")

    def write(self, record: Record) -> None:
        """All of it, on disk as this returns.  RequestError."""
        entries = record.entries.items()
        steps = {name: {"before": it.before, "progress": it.progress} for name, it in entries}
        values = {"version": _VERSION, "complete": record.complete, "steps": steps}
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            own_files.replace(self.file, json.dumps(values, indent=2) + "\n", synced=True)
        except OSError as error:
            text = f"cannot write {self.file}: {error.strerror}"
            raise RequestError(Failure.NOT_ALL_WELL, text) from error

    def remove(self) -> None:
        """Nothing is left to undo.  RequestError."""
        if not self.file.exists():
            return
        try:
            self.file.unlink(missing_ok=True)
            own_files.sync(self.file.parent)
        except OSError as error:
            text = f"cannot remove {self.file}: {error.strerror}"
            raise RequestError(Failure.NOT_ALL_WELL, text) from error


def _record(values: Any) -> Record:
    if values["version"] != _VERSION:
        raise ValueError("of another version")
    entries = {name: _entry(it) for name, it in values["steps"].items()}
    return Record(entries, bool(values["complete"]))


def _entry(values: Any) -> Entry:
    return Entry(dict(values["before"]), Progress(values["progress"]))
