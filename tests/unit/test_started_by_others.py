"""A start that no run has made is in the trail."""

from __future__ import annotations

import pytest

from guestctl.decisions.reconcile import HOLD_ENDS, reconcile
from guestctl.decisions.wanted import UNWATCHED, Watched
from guestctl.model.guest import GuestFacts, State
from guestctl.model.record import GuestRecord, Wanted
from tests.ledgers import instant
from tests.unit.makers import EARLIER_BOOT, guest, off, recorded

STARTED = Watched(was_started=True, started_as="booted")
RESUMED = Watched(was_started=True, started_as="restored")
OFF = recorded(wanted=Wanted.OFF, up_boot=None)
WHY = "its save is stale"
HELD = recorded(up_boot=None, hold=WHY, held_for_save=True)
BY_A_PERSON = recorded(up_boot=None, hold="moving")


@pytest.mark.parametrize(
    ("record", "facts", "watched", "said"),
    [
        (None, guest(), STARTED, ["started, not by guestctl"]),
        (OFF, guest(), STARTED, ["started, not by guestctl"]),
        (recorded(up_boot=EARLIER_BOOT), guest(), STARTED, ["started, not by guestctl"]),
        (OFF, guest(), RESUMED, ["resumed from its save, not by guestctl"]),
        (
            HELD,
            guest(),
            STARTED,
            [f"started, not by guestctl, although it was held: {WHY}", HOLD_ENDS.text],
        ),
        (
            BY_A_PERSON,
            guest(),
            STARTED,
            ["started, not by guestctl, although it was held: moving"],
        ),
        # Nobody listened, and a run does not start what is held.
        (
            HELD,
            guest(),
            UNWATCHED,
            [f"started, not by guestctl, although it was held: {WHY}", HOLD_ENDS.text],
        ),
        (recorded(hold="moving"), guest(), UNWATCHED, []),
        # A run has noted it; nobody heard of a start; it is not up yet, or not any more.
        (recorded(), guest(), STARTED, []),
        (OFF, guest(), UNWATCHED, []),
        (OFF, guest(state=State.PAUSED, reason="starting up"), STARTED, []),
        (OFF, off(), STARTED, []),
        (OFF, guest(persistent=False), STARTED, []),
    ],
)
def test_who_started_it(
    record: GuestRecord | None, facts: GuestFacts, watched: Watched, said: list[str]
) -> None:
    update = reconcile(record, facts, instant(0), watched).update
    remarks = update.remarks if update else ()
    assert [note.text for note in remarks] == said
