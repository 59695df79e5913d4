"""What runs have begun with a guest in this boot, and what may still come of it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ..model.history import Attempt
from ..model.plan import RunKind, Step
from ..model.result import StepEnd, Trigger
from ..model.stop import Intent, StoppedBy
from .outcome import by_whom

#: A step that was cut off longer ago, in nanoseconds, has come to nothing.
CARRIED_OUT = 1800 * 10**9
_DOWN = (Step.SAVE, Step.SHUTDOWN, Step.POWEROFF)


def intent(attempts: Sequence[Attempt], now: int, window: float) -> Intent | None:
    """What runs of late had begun with the guest in order to take it down, without success.

    None where that ended longer ago than `window` (in seconds): the guest would have gone down
    by then.  now: in nanoseconds since the host's boot, as times of attempts are.
    """
    begun = _of_late(attempts)
    if not begun or begun[-1].kind is RunKind.RESTORE or any(a.worked for a in begun):
        return None
    since = now - round(window * 1e9)
    steps = frozenset(a.step for a in begun if (a.ended or a.begun) >= since)
    return Intent(by_whom(begun[-1].kind, begun[-1].trigger), steps) if steps else None


def _of_late(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those of the newest run, and of the runs that it came after, which were to bring the guest
    to safety as well, and did not: a process that is killed leaves what it had begun to the next.
    """
    runs = [list(run) for _, run in groupby(attempts, lambda attempt: attempt.run)]
    found = runs.pop() if runs else []
    while runs and _goes_on_from(found, runs[-1]):
        found = runs.pop() + found
    return found


def _goes_on_from(later: Sequence[Attempt], earlier: Sequence[Attempt]) -> bool:
    preserves = all(attempt.kind is RunKind.PRESERVE for attempt in (*earlier, *later))
    in_vain = not any(attempt.worked for attempt in earlier)
    return preserves and in_vain and earlier[-1].begun >= later[-1].begun - CARRIED_OUT


def _request(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last request to shut down among them: nothing that was begun since takes it back."""
    requests = [attempt for attempt in _of_late(attempts) if attempt.step is Step.SHUTDOWN]
    return requests[-1] if requests else None


def for_the_host(attempts: Sequence[Attempt]) -> Intent:
    """What runs have begun with the guest, in all, for the host's sake."""
    steps = (attempt.step for attempt in attempts if attempt.kind is RunKind.PRESERVE)
    return Intent(StoppedBy.HOST, frozenset(steps))


def saves(attempts: Sequence[Attempt]) -> bool:
    """Whether a save for the host's sake was among them."""
    return Step.SAVE in for_the_host(attempts).steps


def may_be_under_way(attempts: Sequence[Attempt], now: int) -> bool:
    """Whether the last of them was to take the guest down, or the last request did, and was cut
    off.

    libvirt or the guest may still carry it out, for half an hour at most.
    """
    begun = (attempts[-1] if attempts else None, _request(attempts))
    return any(it is not None and _was_cut_off(it, now) for it in begun)


def _was_cut_off(attempt: Attempt, now: int) -> bool:
    is_recent = attempt.begun >= now - CARRIED_OUT
    return attempt.ended is None and attempt.step in _DOWN and is_recent


def may_be_followed(attempts: Sequence[Attempt]) -> bool:
    """Whether the guest was slow to follow the last request to shut down."""
    request = _request(attempts)
    return request is not None and request.end is StepEnd.TIMED_OUT


def in_the_air(attempts: Sequence[Attempt]) -> Step | None:
    """What was to take the guest down and may still: a request is not taken back, and the last of
    them may have been sent where it was cut off."""
    request = _request(attempts)
    if request is not None and not request.worked:
        return Step.SHUTDOWN
    last = attempts[-1] if attempts else None
    return last.step if last and last.step in _DOWN and last.ended is None else None


def explain(attempts: Sequence[Attempt], reason: str) -> bool:
    """Whether the last of them took the guest down, and libvirt says that it went down so."""
    if not attempts or not attempts[-1].worked or attempts[-1].step not in _DOWN:
        return False
    return Intent(StoppedBy.HOST, frozenset({attempts[-1].step})).explains(reason)


def in_vain(attempts: Sequence[Attempt]) -> bool:
    """Whether the last of them was to take the guest down as the host went down, and did not.

    libvirt or the guest may still carry it out.
    """
    if not attempts:
        return False
    last = attempts[-1]
    return (last.kind, last.trigger) == (RunKind.PRESERVE, Trigger.HOST_STOP) and not last.worked
