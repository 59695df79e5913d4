"""Is a guest wanted on, and who stopped it?"""

from __future__ import annotations

import pytest
from hypothesis import given

from guestctl.decisions.wanted import desired
from guestctl.model.guest import GuestFacts, State
from guestctl.model.history import Attempt
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import Trigger
from guestctl.model.stop import StoppedBy
from tests.unit.makers import BOOT, EARLIER_BOOT, guest, guests_and_knowledge, known, off

ON, OFF = Wanted.ON, Wanted.OFF
by_host = known(taken_down=True, stopped_by=StoppedBy.HOST, up_boot=None)


def out_of_sight(*tried: Step, up_boot: str = BOOT) -> GuestRecord:
    """A run began these steps with it, and did not see what came of them."""
    begun = tuple(Attempt(1, RunKind.PRESERVE, Trigger.HOST_STOP, step, 1) for step in tried)
    return known(taken_down=True, up_boot=up_boot, attempts=begun)


by_user = known(wanted=OFF, stopped_by=StoppedBy.USER)

WISHES: list[tuple[GuestFacts, GuestRecord | None, Wanted, StoppedBy | None, bool]] = [
    # What is seen to run is wanted, whatever was decided before.
    (guest(), None, ON, None, False),
    (guest(), by_user, ON, None, False),
    (guest(state=State.PAUSED), by_host, ON, None, False),
    # What the ledger knows.
    (off(), None, OFF, StoppedBy.UNKNOWN, False),
    (off(), known(wanted=None), OFF, StoppedBy.UNKNOWN, False),
    (off(), by_user, OFF, StoppedBy.USER, False),
    (off(), known(wanted=OFF, taken_down=True), OFF, None, False),
    (off(), by_host, ON, StoppedBy.HOST, False),
    (off(reason="destroyed"), by_host, ON, StoppedBy.HOST, False),
    (off(), known(up_boot=None), ON, None, False),
    # A run has lost sight of it: what libvirt says goes with what the run had begun, or not.
    (off(reason="saved"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SAVE, Step.SHUTDOWN), ON, None, False),
    (off(reason="destroyed"), out_of_sight(Step.POWEROFF), ON, None, False),
    (off(reason="unknown"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="crashed"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SHUTDOWN, up_boot=EARLIER_BOOT), ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SAVE), OFF, StoppedBy.UNKNOWN, True),
    (off(reason="destroyed"), out_of_sight(Step.SHUTDOWN), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="saved"), out_of_sight(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="migrated"), by_host, OFF, StoppedBy.MOVED, True),
    # What is inferred: it was on, and is off.
    (off(), known(up_boot=EARLIER_BOOT), ON, StoppedBy.HOST, True),
    (off(reason="crashed"), known(), ON, StoppedBy.CRASH, True),
    (off(reason="failed"), known(), ON, StoppedBy.CRASH, True),
    (off(reason="daemon"), known(), ON, StoppedBy.CRASH, True),
    (off(reason="migrated"), known(), OFF, StoppedBy.MOVED, True),
    (off(reason="destroyed"), known(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="saved"), known(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="from snapshot"), known(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="shutdown"), known(), OFF, StoppedBy.UNKNOWN, True),
    (off(reason="unknown"), known(), OFF, StoppedBy.UNKNOWN, True),
]


@pytest.mark.parametrize(("facts", "says", "wanted", "by", "news"), WISHES)
def test_wishes(
    facts: GuestFacts, says: GuestRecord | None, wanted: Wanted, by: StoppedBy | None, news: bool
) -> None:
    found = desired(says, facts, BOOT)
    assert (found.wanted, found.stopped_by, found.verdict is not None) == (wanted, by, news)
    assert found.reason


@pytest.mark.parametrize("says", [known(), known(up_boot=EARLIER_BOOT), by_host, by_user])
def test_an_unknown_state_changes_no_wish(says: GuestRecord) -> None:
    """An error is not an answer: nothing is inferred from a state that could not be read."""
    found = desired(says, guest(state=State.UNKNOWN, reason="unknown"), BOOT)
    assert (found.wanted, found.verdict) == (says.wanted, None)


@given(guests_and_knowledge)
def test_invariants_of_a_wish(pair: tuple[GuestFacts, GuestRecord | None]) -> None:
    facts, says = pair
    found = desired(says, facts, BOOT)
    assert found.reason
    if facts.up:
        assert (found.wanted, found.stopped_by) == (ON, None)
    elif says is None or says.wanted is not ON:
        # Nothing but somebody's word or being seen up makes a guest wanted.
        assert (found.wanted, found.verdict) == (OFF, None)
    elif says.taken_down and says.up_boot != BOOT and facts.reason != "migrated":
        assert (found.wanted, found.verdict) == (ON, None)
