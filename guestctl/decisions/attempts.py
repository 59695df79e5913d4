"""What runs have begun with a guest in this boot, and what may still come of it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.history import Attempt
from ..model.plan import RunKind, Step
from ..model.result import StepEnd, Trigger
from ..model.stop import Intent, StoppedBy
from .outcome import by_whom

#: A step that was cut off longer ago, in nanoseconds, has come to nothing.
CARRIED_OUT = 1800 * 10**9
_DOWN = (Step.SAVE, Step.SHUTDOWN, Step.POWEROFF)


def intent(attempts: Sequence[Attempt], now: int, window: float) -> Intent | None:
    """What the newest run with the guest had begun in order to take it down, without success.

    None where that ended longer ago than `window` (in seconds): the guest would have gone down
    by then.  now: in nanoseconds since the host's boot, as times of attempts are.
    """
    newest = [attempt for attempt in attempts if attempt.run == attempts[-1].run]
    if not newest or newest[0].kind is RunKind.RESTORE or any(a.worked for a in newest):
        return None
    since = now - round(window * 1e9)
    steps = frozenset(a.step for a in newest if (a.ended or a.begun) >= since)
    return Intent(by_whom(newest[0].kind, newest[0].trigger), steps) if steps else None


def for_the_host(attempts: Sequence[Attempt]) -> Intent:
    """What runs have begun with the guest, in all, for the host's sake."""
    steps = (attempt.step for attempt in attempts if attempt.kind is RunKind.PRESERVE)
    return Intent(StoppedBy.HOST, frozenset(steps))


def saves(attempts: Sequence[Attempt]) -> bool:
    """Whether a save for the host's sake was among them."""
    return Step.SAVE in for_the_host(attempts).steps


def may_be_under_way(attempts: Sequence[Attempt], now: int) -> bool:
    """Whether the last of them was to take the guest down, and was cut off.

    libvirt or the guest may still carry it out, for half an hour at most.
    """
    if not attempts:
        return False
    last = attempts[-1]
    return last.ended is None and last.step in _DOWN and last.begun >= now - CARRIED_OUT


def may_be_followed(attempts: Sequence[Attempt]) -> bool:
    """Whether the last of them was a request to shut down that the guest was slow to follow."""
    last = attempts[-1] if attempts else None
    return last is not None and (last.step, last.end) == (Step.SHUTDOWN, StepEnd.TIMED_OUT)


def in_the_air(attempts: Sequence[Attempt]) -> Step | None:
    """The last of them, where it was to take the guest down and may still: a request is not taken
    back, and what was cut off may have been sent."""
    last = attempts[-1] if attempts else None
    if last is None or last.step not in _DOWN or last.worked:
        return None
    return last.step if last.step is Step.SHUTDOWN or last.ended is None else None


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
