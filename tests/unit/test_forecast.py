"""Room for saves, how long they take, and what libvirt refused before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.forecast import (
    NO_FORECAST,
    OWN_SAVES,
    SaveForecast,
    StartForecast,
    share_room,
)
from guestctl.model.guest import DomainInfo, GuestFacts
from guestctl.model.history import PastStart
from guestctl.model.plan import Basis, GuestPlan, Outcome, Step, StepPlan
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.makers import URI, guest, guest_id

GIB = 2**30
STEPS = (StepPlan(Step.SAVE, 600), StepPlan(Step.SHUTDOWN, 90), StepPlan(Step.POWEROFF, 30))
FINISHED = [SaveState.DONE, SaveState.RESUMING, SaveState.RESUMED, SaveState.DISCARDED]
UNFINISHED = [state for state in SaveState if state not in FINISHED]


def plan(number: int, memory: int, *steps: StepPlan) -> GuestPlan:
    """A plan for a guest of that size: all three steps, but for other steps."""
    return GuestPlan(guest(f"g{number}", number, memory=memory), steps or STEPS)


def saving(plans: tuple[GuestPlan, ...]) -> list[str]:
    """The names of the guests that are saved."""
    return [p.guest.name for p in plans if p.saves]


def record(
    seconds: float | None, memory: int = GIB, state: SaveState = SaveState.DONE, number: int = 1
) -> SaveRecord:
    """A save of before."""
    return SaveRecord(guest_id(number), memory, "xml", seconds, state, None)


# Room

plans = st.lists(
    st.tuples(
        st.integers(0, 8 * GIB),
        st.sampled_from([STEPS, STEPS[:1], STEPS[1:], ()]),
    ),
    max_size=8,
).map(
    lambda rows: tuple(
        GuestPlan(guest(f"g{n}", n, memory=memory), steps) for n, (memory, steps) in enumerate(rows)
    )
)
sizes = st.integers(0, 16 * GIB)


@given(plans, sizes, sizes)
def test_saves_never_take_more_than_the_room_beside_the_reserve(
    given_: tuple[GuestPlan, ...], room: int, reserve: int
) -> None:
    shared = share_room(given_, SaveForecast(room={URI: room}, reserve=reserve))
    assert [p.guest for p in shared] == [p.guest for p in given_]
    taken = sum(p.guest.memory for p in shared if p.saves)
    assert taken <= max(0, room - reserve)
    for before, after in zip(given_, shared, strict=True):
        if before.saves and not after.saves:
            ((step, reason),) = after.left_out
            assert step is Step.SAVE
            assert reason.startswith("no room: ")
            assert after.steps or (after.outcome, after.reason) == (Outcome.FAILED, reason)
        else:
            assert after == before


@given(plans, sizes, sizes)
def test_small_guests_go_first(given_: tuple[GuestPlan, ...], room: int, reserve: int) -> None:
    shared = share_room(given_, SaveForecast(room={URI: room}, reserve=reserve))
    saved = [p.guest.memory for p in shared if p.saves]
    refused = [
        after.guest.memory
        for before, after in zip(given_, shared, strict=True)
        if before.saves and not after.saves
    ]
    assert max(saved, default=0) <= min(refused, default=2**63)


def test_a_guest_that_does_not_fit_goes_on_to_its_next_step() -> None:
    big, small = plan(1, 3 * GIB), plan(2, GIB)
    shared = share_room([big, small], SaveForecast(room={URI: 4 * GIB}, reserve=GIB))
    assert saving(shared) == ["g2"]
    assert shared[0].steps == STEPS[1:]
    (left_out,) = shared[0].left_out
    assert left_out[1] == (
        "no room: it can take 3GiB, and 2GiB are left beside the reserve of 1GiB"
    )


def test_what_just_fits_is_saved() -> None:
    assert saving(share_room([plan(1, GIB)], SaveForecast(room={URI: GIB}))) == ["g1"]
    assert saving(share_room([plan(1, GIB)], SaveForecast(room={URI: GIB}, reserve=1))) == []


def test_earlier_reasons_stay() -> None:
    before = GuestPlan(guest(memory=GIB), STEPS[:2], ((Step.POWEROFF, "policy"),))
    (after,) = share_room([before], SaveForecast(room={URI: 0}))
    assert [step for step, _ in after.left_out] == [Step.SAVE, Step.POWEROFF]


def test_room_that_is_not_known_stops_no_save() -> None:
    given_ = (plan(1, 2**60),)
    assert share_room(given_, NO_FORECAST) == given_
    assert share_room(given_, SaveForecast(room={"other:///": 0}, reserve=GIB)) == given_


# Estimates


def facts(memory: int = GIB, digest: str = "xml", number: int = 1) -> GuestFacts:
    """The guest whose save is estimated."""
    return guest(number=number, memory=memory, info=DomainInfo(digest=digest))


def test_without_a_save_there_is_no_estimate() -> None:
    assert NO_FORECAST.estimate(facts()) is None


def test_the_slowest_of_the_guests_last_saves() -> None:
    records = tuple(record(seconds) for seconds in (99.0, 3.0, 5.0, 4.0))
    assert OWN_SAVES == 3
    assert SaveForecast(records).estimate(facts()) == (5.0, Basis.OWN)


@pytest.mark.parametrize("state", FINISHED)
def test_a_save_that_was_finished_counts(state: SaveState) -> None:
    assert SaveForecast((record(7.0, state=state),)).estimate(facts()) == (7.0, Basis.OWN)


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_save_that_was_not_finished_does_not_count(state: SaveState) -> None:
    assert SaveForecast((record(7.0, state=state),)).estimate(facts()) is None


def test_other_guests_tell_the_hosts_speed() -> None:
    """Also when the guest got other memory since."""
    records = (record(10.0, GIB, number=2), record(10.0, GIB, number=3), record(1.0, GIB, number=4))
    assert SaveForecast(records).estimate(facts(2 * GIB)) == (20.0, Basis.LIKE)
    assert SaveForecast((record(10.0),)).estimate(facts(4 * GIB)) == (40.0, Basis.LIKE)


records = st.lists(
    st.builds(
        record,
        st.none() | st.floats(0, 1e6),
        st.integers(0, 2**50),
        st.sampled_from(SaveState),
        st.integers(1, 3),
    ),
    max_size=30,
).map(tuple)


@given(records, st.integers(0, 2**50))
def test_whatever_is_recorded_makes_an_estimate_or_none(
    past: tuple[SaveRecord, ...], memory: int
) -> None:
    found = SaveForecast(past).estimate(facts(memory))
    assert found is None or found.seconds >= 0


def test_starts_go_by_the_guests_own_past_else_by_its_like() -> None:
    past = (
        *(PastStart(guest_id(1), Step.RESUME, seconds) for seconds in (9.0, 2.0, 4.0, 3.0)),
        PastStart(guest_id(2), Step.START, 1.0),
        PastStart(guest_id(3), Step.START, 5.0),
    )
    known = StartForecast(past, {guest_id(1): GIB})
    assert known.estimate(facts(), Step.RESUME) == (4.0, Basis.OWN)
    assert known.estimate(facts(2 * GIB, number=2), Step.RESUME) == (7.0, Basis.LIKE)
    assert known.estimate(facts(), Step.START) == (3.0, Basis.LIKE)
    assert known.estimate(facts(number=3), Step.START) == (5.0, Basis.OWN)
    assert StartForecast().estimate(facts(), Step.START) is None


def test_how_long_a_guest_takes_to_be_ready_is_its_own() -> None:
    past = (
        *(
            PastStart(guest_id(1), Step.START, 1.0, ready)
            for ready in (90.0, 20.0, 30.0, None, 25.0)
        ),
        PastStart(guest_id(1), Step.RESUME, 1.0, 2.0),
        PastStart(guest_id(2), Step.START, 1.0),
    )
    known = StartForecast(past)
    assert known.ready_after(guest_id(1), Step.START) == 30.0
    assert known.ready_after(guest_id(1), Step.RESUME) == 2.0
    assert known.ready_after(guest_id(2), Step.START) is None


# Refusals


def refused(digest: str, refusal: str | None = "has a vGPU") -> SaveRecord:
    """A save that libvirt refused."""
    return SaveRecord(guest_id(), GIB, digest, 0.1, SaveState.FAILED, refusal)


def test_a_refusal_holds_as_long_as_the_xml_is_the_same() -> None:
    forecast = SaveForecast((refused("xml"),))
    assert forecast.refusal(facts()) == "libvirt refused the last one: has a vGPU"
    assert forecast.refusal(facts(digest="changed")) == ""
    assert forecast.refusal(facts(number=2)) == ""


def test_only_the_last_save_counts() -> None:
    assert SaveForecast((refused("xml"), record(1.0))).refusal(facts()) == ""
    assert SaveForecast((record(1.0), refused("xml"))).refusal(facts()) != ""
    assert SaveForecast((refused("xml", None),)).refusal(facts()) == ""


def test_xml_that_is_not_known_is_never_the_same() -> None:
    assert SaveForecast((refused(""),)).refusal(facts(digest="")) == ""


# A host of many guests


class Counted(tuple[SaveRecord, ...]):
    """Records that know how often somebody went over all of them."""

    passes = 0

    def __iter__(self) -> Iterator[SaveRecord]:
        self.passes += 1
        return super().__iter__()


def test_all_saves_are_gone_over_twice_however_many_guests_there_are() -> None:
    guests = [guest(f"g{number}", number, memory=GIB) for number in range(1, 101)]
    records = Counted(record(10.0, number=number) for number in range(1, 51))
    forecast = SaveForecast(records)
    assert [forecast.estimate(one) for one in guests] == [
        (10.0, Basis.OWN if number <= 50 else Basis.LIKE) for number in range(1, 101)
    ]
    assert [forecast.refusal(one) for one in guests] == [""] * 100
    assert records.passes == 2
