"""Ledgers in files, whole and damaged, as tests open them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guestctl.ledger.file import (
    connect,
    transaction,
)
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import open_ledger
from tests.ledgers import clock
from tests.unit.makers import BOOT, guest, guest_id


def make(path: Path, *reasons: str) -> None:
    """A ledger file with a trail, closed in good order."""
    path.parent.mkdir(exist_ok=True)
    db = connect(path)
    ledger = Ledger(db, clock())
    with transaction(db):
        ledger.note_up(guest(), BOOT)
        for reason in reasons:
            ledger.trail.add(guest_id(), "source", reason)
    db.close()


class Opened:
    """A ledger as runs and readers open it, with what was complained of."""

    def __init__(self, path: Path, opener: Callable[..., Ledger] = open_ledger) -> None:
        self.trouble: list[str] = []
        self.ledger = opener(path, clock(), self.trouble.append)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.db.close()

    def works(self) -> bool:
        """Whether what is written can be read."""
        with transaction(self.ledger.db):
            self.ledger.trail.add(guest_id(9), "source", "written now")
        return [entry.reason for entry in self.ledger.trail.of(guest_id(9))] == ["written now"]


def whole_file(folder: Path) -> bytes:
    """The bytes of a ledger of several pages."""
    path = folder / "whole" / "ledger.db"
    make(path, *(f"reason {n} " + "x" * 100 for n in range(200)))
    return path.read_bytes()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda whole: b"\xde\xad" * (len(whole) // 2),
    "text": lambda _: b"this is no ledger\n" * 100,
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "cut in mid-page": lambda whole: whole[:-1000],
    "header gone": lambda whole: b"\x00" * 100 + whole[100:],
    "zeroes": lambda whole: b"\x00" * len(whole),
    "a page of zeroes": lambda whole: whole[:4096] + b"\x00" * 4096 + whole[8192:],
    "all but the header gone": lambda whole: whole[:100] + b"\xff" * (len(whole) - 100),
    # SQLite quotes it in its error, which Python then cannot read.
    "a schema that is not UTF-8": lambda whole: whole.replace(
        b"TEXT NOT NULL", b"TEXT NOT NU\xdd\xdd"
    ),
}
