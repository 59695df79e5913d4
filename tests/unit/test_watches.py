"""Which boots were watched to their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from guestctl.ledger.file import connect
from guestctl.ledger.watches import KEPT_WATCHES, Watches
from tests.ledgers import clock


@pytest.fixture
def watches() -> Iterator[Watches]:
    """Of a new ledger."""
    with closing(connect(None)) as db:
        yield Watches(db, clock())


def test_a_watch_is_over_when_it_was_ended_and_not_begun_again(watches: Watches) -> None:
    for boot in ("cut off", "ended", "begun again"):
        watches.begin(boot)
    watches.end("ended")
    watches.end("begun again")
    watches.begin("begun again")
    watches.end("never begun")
    assert watches.ended() == {"ended"}


def test_old_boots_are_forgotten(watches: Watches) -> None:
    for number in range(KEPT_WATCHES + 5):
        watches.begin(f"boot {number}")
        watches.end(f"boot {number}")
    assert len(watches.ended()) == KEPT_WATCHES
    assert "boot 4" not in watches.ended()
