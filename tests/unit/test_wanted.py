"""Is a guest wanted on, and who stopped it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from guestctl.decisions.reconcile import reconcile
from guestctl.decisions.wanted import AS_FOUND, Watched, desired, is_left_off
from guestctl.model.guest import GuestFacts, State
from guestctl.model.history import Attempt
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import Trigger
from guestctl.model.stop import Certainty, StoppedBy
from tests.ledgers import instant
from tests.unit.makers import BOOT, EARLIER_BOOT, guest, guests_and_records, off, recorded

ON, OFF = Wanted.ON, Wanted.OFF
by_host = recorded(taken_down=True, stopped_by=StoppedBy.HOST, up_boot=None)


def out_of_sight(*tried: Step, up_boot: str = BOOT) -> GuestRecord:
    """A run began these steps with it, and did not see what came of them."""
    begun = tuple(Attempt(1, RunKind.PRESERVE, Trigger.HOST_STOP, step, 1) for step in tried)
    return recorded(taken_down=True, up_boot=up_boot, attempts=begun)


shed_out_of_sight = replace(out_of_sight(Step.SHUTDOWN), shed="on battery", shed_boot=BOOT)
by_user = recorded(wanted=OFF, stopped_by=StoppedBy.USER)


def before(**differs: Any) -> GuestRecord:
    """It was last seen up in an earlier boot."""
    return recorded(**{"up_boot": EARLIER_BOOT, "as_of": EARLIER_BOOT, **differs})


owed = before(taken_down=True, stopped_by=StoppedBy.HOST, up_boot=None)
settled_by_power = before(wanted=OFF, settling=EARLIER_BOOT, up_boot=None)

DESIRED: list[tuple[GuestFacts, GuestRecord | None, Wanted, StoppedBy | None, bool]] = [
    # What is seen to run is wanted, whatever was decided before.
    (guest(), None, ON, None, False),
    (guest(), by_user, ON, None, False),
    (guest(state=State.PAUSED), by_host, ON, None, False),
    # What the ledger knows.
    (off(), None, OFF, StoppedBy.UNKNOWN, False),
    (off(), recorded(wanted=None), OFF, StoppedBy.UNKNOWN, False),
    (off(), by_user, OFF, StoppedBy.USER, False),
    (off(), recorded(wanted=OFF, taken_down=True), OFF, None, False),
    (off(), by_host, ON, StoppedBy.HOST, False),
    (off(reason="destroyed"), by_host, ON, StoppedBy.HOST, False),
    (off(), recorded(up_boot=None), ON, None, False),
    # A run has lost sight of it: what libvirt says goes with what the run had begun, or not.
    (off(reason="saved"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SAVE, Step.SHUTDOWN), ON, None, False),
    (off(reason="destroyed"), out_of_sight(Step.POWEROFF), ON, None, False),
    (off(reason="unknown"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="crashed"), out_of_sight(Step.SAVE), ON, StoppedBy.CRASH, True),
    (off(reason="daemon"), out_of_sight(Step.SHUTDOWN), ON, StoppedBy.CRASH, True),
    (off(reason="failed"), out_of_sight(Step.SAVE), ON, None, False),
    (off(reason="crashed"), shed_out_of_sight, ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SHUTDOWN, up_boot=EARLIER_BOOT), ON, None, False),
    (off(reason="shutdown"), out_of_sight(Step.SAVE), OFF, StoppedBy.UNKNOWN, True),
    (off(reason="destroyed"), out_of_sight(Step.SHUTDOWN), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="saved"), out_of_sight(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="migrated"), by_host, OFF, StoppedBy.MOVED, True),
    # libvirt's reason is of this boot, and newer than all that is known of an earlier one.
    (off(reason="destroyed"), before(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="shutdown"), before(), OFF, StoppedBy.UNKNOWN, True),
    (off(reason="saved"), before(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="migrated"), before(), OFF, StoppedBy.MOVED, True),
    (off(reason="crashed"), before(), ON, StoppedBy.CRASH, True),
    (off(reason="failed"), before(), ON, StoppedBy.HOST, True),
    (off(reason="unknown"), before(), ON, StoppedBy.HOST, True),
    (off(reason="destroyed"), before(up_boot=None), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="destroyed"), owed, OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="unknown"), owed, ON, StoppedBy.HOST, False),
    (off(reason="destroyed"), settled_by_power, OFF, StoppedBy.ADMINISTRATOR, True),
    # Asked for in this boot, which is newer than any stop that libvirt tells of.
    (off(reason="destroyed"), recorded(up_boot=None, as_of=BOOT), ON, None, False),
    # What is inferred: it was on, and is off.
    (off(), recorded(up_boot=EARLIER_BOOT), ON, StoppedBy.HOST, True),
    (off(reason="crashed"), recorded(), ON, StoppedBy.CRASH, True),
    (off(reason="failed"), recorded(), ON, StoppedBy.CRASH, True),
    (off(reason="daemon"), recorded(), ON, StoppedBy.CRASH, True),
    (off(reason="migrated"), recorded(), OFF, StoppedBy.MOVED, True),
    (off(reason="destroyed"), recorded(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="saved"), recorded(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="from snapshot"), recorded(), OFF, StoppedBy.ADMINISTRATOR, True),
    (off(reason="shutdown"), recorded(), OFF, StoppedBy.UNKNOWN, True),
    (off(reason="unknown"), recorded(), OFF, StoppedBy.UNKNOWN, True),
]


@pytest.mark.parametrize(("facts", "record", "wanted", "by", "has_verdict"), DESIRED)
def test_what_is_desired(
    facts: GuestFacts,
    record: GuestRecord | None,
    wanted: Wanted,
    by: StoppedBy | None,
    has_verdict: bool,
) -> None:
    found = desired(record, facts, BOOT)
    assert (found.wanted, found.stopped_by, found.verdict is not None) == (wanted, by, has_verdict)
    assert found.reason


@pytest.mark.parametrize("record", [recorded(), recorded(up_boot=EARLIER_BOOT), by_host, by_user])
def test_an_unknown_state_changes_nothing(record: GuestRecord) -> None:
    """An error is not an answer: nothing is inferred from a state that could not be read."""
    found = desired(record, guest(state=State.UNKNOWN, reason="unknown"), BOOT)
    assert (found.wanted, found.verdict) == (record.wanted, None)


@given(guests_and_records)
def test_invariants(pair: tuple[GuestFacts, GuestRecord | None]) -> None:
    facts, record = pair
    found = desired(record, facts, BOOT)
    assert found.reason
    if facts.up:
        assert (found.wanted, found.stopped_by) == (ON, None)
    elif record is None or record.wanted is not ON:
        # Nothing but somebody's word or being seen up makes a guest wanted.
        assert (found.wanted, found.verdict) == (OFF, None)
    elif record.taken_down and record.up_boot != BOOT and facts.reason != "migrated":
        assert (found.wanted, found.verdict) == (ON, None)


SWITCHED_ON = Watched(as_found=True)
guessed = before(
    as_of=BOOT,
    up_boot=None,
    taken_down=True,
    stopped_by=StoppedBy.HOST,
    certainty=Certainty.INFERRED,
)


@pytest.mark.parametrize(
    "record", [before(), owed, settled_by_power, guessed, recorded(up_boot=None)]
)
def test_what_is_off_when_guestctl_is_switched_on_stays_off(record: GuestRecord) -> None:
    facts = off(reason="unknown")
    found = reconcile(record, facts, instant(1), SWITCHED_ON)
    assert (found.desired.wanted, found.desired.reason) == (OFF, AS_FOUND)
    assert found.update
    after = found.update.record
    assert after
    assert is_left_off(after, BOOT)
    assert reconcile(after, facts, instant(2), SWITCHED_ON).update is None


@pytest.mark.parametrize(
    ("facts", "record", "wanted"),
    [
        (guest(), before(), ON),
        (off(reason="destroyed"), before(), OFF),
        (off(reason="unknown"), recorded(up_boot=None, as_of=BOOT), ON),
        (off(reason="saved"), out_of_sight(Step.SAVE), ON),
        (off(reason="crashed"), recorded(as_of=BOOT), ON),
        (guest(state=State.UNKNOWN), before(), ON),
    ],
)
def test_what_was_said_in_this_boot_holds_whoever_is_switched_on(
    facts: GuestFacts, record: GuestRecord, wanted: Wanted
) -> None:
    found = desired(record, facts, BOOT, SWITCHED_ON)
    assert (found.wanted, found.reason == AS_FOUND) == (wanted, False)
