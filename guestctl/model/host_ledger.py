"""What the ledger says beside what plans go by, as values."""

from __future__ import annotations

from dataclasses import dataclass

from .history import PastGuest, PastRun


@dataclass(frozen=True)
class LedgerSaid:
    """newest: of each kind the newest run that is over, and what became of whom.

    path: the ledger.  damaged: ledgers that were set aside.
    """

    path: str
    newest: tuple[tuple[PastRun, tuple[PastGuest, ...]], ...] = ()
    damaged: tuple[str, ...] = ()
