"""A plan in time: a bar for each guest, what there is no time for, and the same as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..model import no_time
from ..model.guest import GuestId
from ..model.timeline import TimedGuest, TimedStep, Timeline
from ..model.units import show_seconds
from .tables import room_beside
from .text import print_table, screen_width

Names = Mapping[GuestId, str]

_HEADINGS = ("NAME", "STEP", "BEGINS", "TAKES", "GOES BY")
#: A bar of fewer cells tells nothing.
_LEAST_BAR = 10
#: The bar reaches to the deadline where the run takes at least this part of it.
_NEAR = 0.5
_WAITS, _WORKS, _DEADLINE = ".", "#", "|"


def print_timeline(timeline: Timeline, called: Names) -> None:
    """A line for each guest, with a bar on a terminal that has room for one."""
    width = screen_width()
    rows = [_HEADINGS, *(_cells(guest, called) for guest in timeline.guests)]
    room = 0 if width is None else room_beside(rows, width)
    below = list(_words(timeline, called))
    if room >= _LEAST_BAR:
        bars = [_scale(timeline, room), *(_bar(guest, timeline, room) for guest in timeline.guests)]
        heading, *lines = [(*row, bar) for row, bar in zip(rows, bars, strict=True)]
        below = [*_legend(timeline), *below]
        print_table(heading, lines, below)
    else:
        print_table(rows[0], rows[1:], below)


def _cells(guest: TimedGuest, called: Names) -> tuple[str, ...]:
    name = called[guest.guest]
    if guest.begins is None:
        return (name, "-", "-", "-", "-")
    first = guest.begun[0]
    takes = show_seconds(guest.ends - guest.begins)
    last = guest.begun[-1].step
    return (name, last, show_seconds(guest.begins), takes, first.estimate.basis)


# Bars


def _until(timeline: Timeline) -> float:
    """The seconds at the right end of the bars."""
    deadline = timeline.deadline
    if deadline is None or timeline.ends < _NEAR * deadline:
        return timeline.ends
    return max(timeline.ends, deadline)


def _column(timeline: Timeline, moment: float, room: int) -> int:
    until = _until(timeline)
    return round(moment / until * room) if until else 0


def _scale(timeline: Timeline, room: int) -> str:
    end = show_seconds(_until(timeline))
    return f"0s{end.rjust(room - 2)}"


def _bar(guest: TimedGuest, timeline: Timeline, room: int) -> str:
    cells = [" "] * room
    if guest.begins is not None:
        begins = min(_column(timeline, guest.begins, room), room - 1)
        ends = max(begins + 1, _column(timeline, guest.ends, room))
        cells[:ends] = [*_WAITS * begins, *_WORKS * (ends - begins)]
    if _shows_deadline(timeline):
        assert timeline.deadline is not None
        cells[min(_column(timeline, timeline.deadline, room), room) - 1] = _DEADLINE
    return "".join(cells[:room])


def _shows_deadline(timeline: Timeline) -> bool:
    return timeline.deadline is not None and _until(timeline) >= timeline.deadline


def _legend(timeline: Timeline) -> Iterator[str]:
    if _shows_deadline(timeline):
        assert timeline.deadline is not None
        yield f"{_DEADLINE} is the deadline, after {show_seconds(timeline.deadline)}"


# What there is no time for


def _words(timeline: Timeline, called: Names) -> Iterator[str]:
    yield from _storage(timeline)
    for guest in timeline.guests:
        for text in no_time.why_not(guest, called):
            yield f"{called[guest.guest]}: {text}"


def _storage(timeline: Timeline) -> Iterator[str]:
    """Which saves go on beside others: those of one connection share its folder."""
    sharing = {
        guest.guest.uri: step.at_a_time
        for guest in timeline.guests
        for step in guest.begun
        if step.at_a_time > 1
    }
    for uri, count in sorted(sharing.items()):
        yield f"{count} saves at a time share the storage of {uri}"


# For programs


def in_time_json(guest: TimedGuest | None, timeline: Timeline, called: Names) -> dict[str, Any]:
    """What `--json` has of a guest; null where it has no steps."""
    if guest is None:
        fields = ("begins", "seconds", "basis", "ends", "left", "fits", "expected")
        return {
            **dict.fromkeys(fields),
            "in_time": [],
            "order_given_up": [],
            "limit_given_up": False,
        }
    begins, deadline = guest.begins, timeline.deadline
    return {
        "begins": _rounded(begins),
        "seconds": None if begins is None else _rounded(guest.ends - begins),
        "basis": guest.begun[0].estimate.basis if guest.begun else None,
        "ends": _rounded(guest.ends),
        "left": None if deadline is None else _rounded(deadline - guest.ends),
        "fits": guest.fits,
        "expected": guest.outcome,
        "in_time": [_step_json(step) for step in guest.steps],
        "order_given_up": [called[other] for other in guest.passed],
        "limit_given_up": guest.crowded,
    }


def boot_json(guest: TimedGuest | None) -> dict[str, Any]:
    """What `--boot --json` has of a guest; null where it does not come up."""
    if guest is None or guest.begins is None:
        return dict.fromkeys(("begins", "seconds", "basis", "ends"))
    return {
        "begins": _rounded(guest.begins),
        "seconds": _rounded(guest.ends - guest.begins),
        "basis": guest.begun[0].estimate.basis,
        "ends": _rounded(guest.ends),
    }


def _step_json(step: TimedStep) -> dict[str, Any]:
    return {
        "step": step.step,
        "begins": _rounded(step.begins),
        "seconds": _rounded(step.seconds),
        "estimate": _rounded(step.estimate.seconds),
        "basis": step.estimate.basis,
        "at_a_time": step.at_a_time or None,
        "end": step.end,
        "reason": step.reason,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
