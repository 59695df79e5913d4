"""What became of a guest that a run took down: facts and steps to an outcome.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.guest import GuestFacts, State
from ..model.plan import Outcome, RunKind, Step
from ..model.result import GuestResult, StepEnd, StepResult, Trigger
from ..model.stop import Certainty, How, StoppedBy, Verdict

#: libvirt's word for a stop, and what it means for the guest.
_BY_WORD = {
    "migrated": (Outcome.GONE, "it was migrated away"),
    "destroyed": (Outcome.POWERED_OFF, "somebody pulled its plug"),
    "crashed": (Outcome.POWERED_OFF, "it crashed"),
    "failed": (Outcome.POWERED_OFF, "its hypervisor process ended"),
    # A managed save is told by its image; this one went to a file of somebody's choice.
    "saved": (Outcome.GONE, "somebody saved it to a file of their own"),
    "shutdown": (Outcome.SHUT_DOWN, "it went down by itself"),
    "from snapshot": (Outcome.SHUT_DOWN, "it was reverted to a snapshot of when it was off"),
}
#: Ways in which a guest can go down while it is being asked to, and not because of it.
_NOT_BY_REQUEST = ("destroyed", "crashed", "failed")
#: Note with which an image is the guest's save; libvirtd forgets the word when it restarts.
_WITH_IMAGE = ("saved", "unknown", "")
_BY_STEP = {
    Step.SAVE: Outcome.SAVED,
    Step.SHUTDOWN: Outcome.SHUT_DOWN,
    Step.POWEROFF: Outcome.POWERED_OFF,
    Step.RESUME: Outcome.RESUMED,
    Step.START: Outcome.STARTED,
}


def outcome_down(
    facts: GuestFacts | None, stopped: str, steps: Sequence[StepResult]
) -> tuple[Outcome, str]:
    """The outcome and the reason; facts are None for a guest that exists no more.

    stopped is libvirt's word from the last STOPPED event, empty when none was heard.
    """
    if facts is not None and facts.up:
        return Outcome.FAILED, _what_failed(steps) or "it is still up"
    if facts is not None and facts.state is State.UNKNOWN:
        return Outcome.UNKNOWN, "its state could not be read"
    word = stopped or (facts.reason if facts is not None else "")
    if word == "migrated":
        return _BY_WORD[word]
    if facts is not None and was_saved(facts, stopped):
        return Outcome.SAVED, _what_failed(steps) if _worked(steps) is None else ""
    return _down(word, steps, exists=facts is not None)


def was_saved(facts: GuestFacts, stopped: str) -> bool:
    """Whether a guest that is down went down into the managed save that it has.

    An image that was there before is older than its disks.
    """
    return facts.down and facts.saved and (stopped or facts.reason) in _WITH_IMAGE


def _down(word: str, steps: Sequence[StepResult], *, exists: bool) -> tuple[Outcome, str]:
    step = _worked(steps)
    unasked = step is Step.SHUTDOWN and word in _NOT_BY_REQUEST
    if step in (Step.SHUTDOWN, Step.POWEROFF) and not unasked:
        return _BY_STEP[step], _what_failed(steps)
    if word in _BY_WORD:
        return _BY_WORD[word]
    return (Outcome.SHUT_DOWN, "it went down by itself") if exists else (Outcome.GONE, "it is gone")


_HOW = {
    Outcome.SAVED: How.SAVED,
    Outcome.SHUT_DOWN: How.SHUT_DOWN,
    Outcome.POWERED_OFF: How.POWERED_OFF,
}


def by_whom(kind: RunKind, trigger: Trigger) -> StoppedBy:
    """Who is behind a run that takes guests down."""
    operators = kind is RunKind.SHUTDOWN or trigger in (Trigger.COMMAND, Trigger.SHED)
    return StoppedBy.OPERATOR if operators else StoppedBy.HOST


def verdict_of_run(kind: RunKind, trigger: Trigger, result: GuestResult) -> Verdict:
    """What a run says of a guest's stop that it has seen itself."""
    who = by_whom(kind, trigger)
    reason = f": {result.reason}" if result.reason else ""
    evidence = f"a run of guestctl ({kind}) took it down{reason}"
    return Verdict(who, _HOW.get(result.outcome), Certainty.OBSERVED, (evidence,))


def told_by_steps(result: GuestResult) -> bool:
    """Whether the outcome is just what the last step says, so that a trail need not repeat it."""
    last = result.steps[-1] if result.steps else None
    return last is not None and last.end is StepEnd.DONE and _BY_STEP[last.step] is result.outcome


def _worked(steps: Sequence[StepResult]) -> Step | None:
    return next((result.step for result in steps if result.end is StepEnd.DONE), None)


def _what_failed(steps: Sequence[StepResult]) -> str:
    failed = [result for result in steps if result.end is not StepEnd.DONE]
    return "; ".join(f"{result.step}: {result.reason}" for result in failed)
