"""What the ledger says beside what plans go by, for the doctor."""

from __future__ import annotations

from ...model.host_ledger import LedgerSaid
from ..status import newest_runs
from .look import Look


def gather(look: Look) -> LedgerSaid:
    """Nothing of runs where the ledger is not for this user, or cannot be read: a check says so."""
    local = look.local
    newest = tuple((run, tuple(guests)) for run, guests in newest_runs(local))
    damaged = local.damaged_ledgers() if local.is_hosts else []
    return LedgerSaid(str(local.ledger_path), newest, tuple(map(str, damaged)))
