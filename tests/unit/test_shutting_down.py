"""Places among those that shut down: in turn, given back, and taken where no time is left."""

from __future__ import annotations

from guestctl.runs.shutting_down import ShutdownSlots


def test_the_next_has_its_turn_as_one_is_through() -> None:
    slots = ShutdownSlots(1)
    with slots.place() as first:
        with slots.place() as second, slots.place() as third:
            assert [place.is_granted for place in (first, second, third)] == [True, False, False]
        assert not second.is_granted
    with slots.place() as last:
        assert last.is_granted


def test_who_leaves_the_line_keeps_nobody_waiting() -> None:
    slots = ShutdownSlots(1)
    with slots.place() as first:
        with slots.place() as second:
            assert not second.is_granted
        with slots.place() as third:
            slots.crowd_in(third)
            assert (first.is_granted, third.is_granted) == (True, True)


def test_who_crowds_in_counts_for_those_in_line() -> None:
    slots = ShutdownSlots(1)
    with slots.place() as late, slots.place() as waiting:
        assert late.is_granted
        with slots.place() as hurried:
            slots.crowd_in(hurried)
            assert not waiting.is_granted
            slots.crowd_in(hurried)
        assert not waiting.is_granted
    with slots.place() as after_all:
        assert after_all.is_granted


def test_without_a_limit_everybody_has_its_turn() -> None:
    slots = ShutdownSlots(None)
    with slots.place() as one, slots.place() as other:
        assert one.is_granted
        assert other.is_granted
