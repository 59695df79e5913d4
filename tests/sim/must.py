"""What a story must be like: promises that hold for each, and `must.txt` of one scenario.

Expectations made by UPDATE=1 show what guestctl does; these say what it has to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from guestctl.decisions.wanted import desired
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.plan import Outcome, Plan, RunKind, Step, describe
from guestctl.model.report import GuestEnded, StepBegan, StepEnded
from guestctl.model.result import GuestResult, RunResult, StepResult
from guestctl.model.units import parse_duration

from .chronicle import By, Entry
from .scenario import Done, Story, is_up
from .telling import What

_DOWN = frozenset({Outcome.SAVED, Outcome.SHUT_DOWN, Outcome.POWERED_OFF, Outcome.GONE})
_UP = frozenset({Outcome.RESUMED, Outcome.STARTED})


def broken_promises(story: Story) -> list[str]:
    """Outcomes that were not so, as the simulated libvirtd knows, and saves used wrongly."""
    wrong = [text for done, result in story.runs for text in lies(done, result)]
    wrong += untold(story)
    return wrong + [f"resumed by {e.by}: {e.wrong}" for e in story.chronicle if _is_wrong(story, e)]


def untold(story: Story) -> Iterator[str]:
    """What runs say when they have ended, and did not tell while they went on."""
    told = {_end_of(moment.what) for chapter in story.chapters for moment in chapter}
    for done, result in story.runs:
        for guest in result.guests:
            ends = [(guest.name, end) for end in (guest, *guest.steps)]
            yield from (f"{done.command}: not told: {end}" for end in ends if end not in told)


def _end_of(what: What) -> tuple[str, GuestResult | StepResult] | None:
    match what:
        case GuestEnded(result):
            return result.name, result
        case StepEnded(guest, result):
            return guest.name, result
    return None


def _is_wrong(story: Story, entry: Entry) -> bool:
    """Whether guestctl, without being told to, resumed a guest from a save that was not true."""
    told_to = any("--resume-anyway" in done.command for done in story.commands)
    return bool(entry.wrong) and entry.by is By.GUESTCTL and not told_to


def lies(done: Done, result: RunResult, untold: frozenset[GuestId] = frozenset()) -> Iterator[str]:
    """What a run says of guests and was not so when it ended; untold: but for these guests."""
    for guest in result.guests:
        if guest.guest in untold:
            continue
        facts = done.facts.get(guest.guest)
        said = f"{done.command}: {guest.name} is said to be {guest.outcome}, but"
        if guest.outcome in _DOWN and facts is not None and facts.up:
            yield f"{said} it is up"
        if guest.outcome is Outcome.SAVED and not (facts and facts.saved):
            yield f"{said} there is no save"
        if guest.outcome in _UP and not is_up(facts):
            yield f"{said} it is not up"
    is_for_all = not (done.names or done.command.startswith("shed"))
    if result.kind is RunKind.PRESERVE and result.ok and is_for_all:
        told = {guest.guest for guest in result.guests} | untold
        for left in (facts for facts in done.facts.values() if facts.up):
            if left.id not in told:
                yield f"{done.command}: ok, without a word of {left.name}, which is up"


def conditions(text: str) -> list[str]:
    """The lines of must.txt, without comments."""
    lines = (raw.partition("#")[0].strip() for raw in text.splitlines())
    return [line for line in lines if line]


def unmet(story: Story, text: str) -> list[str]:
    """The lines of must.txt that do not hold."""
    return [line for line in conditions(text) if not _holds(story, line)]


def _holds(story: Story, line: str) -> bool:
    for pattern, check in CHECKS.items():
        if match := re.fullmatch(pattern, line):
            return check(story, *match.groups())
    raise ValueError(f"must.txt: not understood: {line!r}")


def _run(story: Story, number: str) -> tuple[Done, RunResult]:
    return story.runs[int(number) - 1]


def _run_is(story: Story, number: str, no: str | None) -> bool:
    return _run(story, number)[1].ok is (no is None)


def _run_within(story: Story, number: str, limit: str) -> bool:
    done, _ = _run(story, number)
    return done.ended - done.begun <= parse_duration(limit)


def _guest_outcome(story: Story, number: str, name: str, outcome: str) -> bool:
    results = [g for g in _run(story, number)[1].guests if g.name == name]
    return [g.outcome for g in results] == [Outcome(outcome)]


def _not_in_run(story: Story, number: str, name: str) -> bool:
    return all(g.name != name for g in _run(story, number)[1].guests)


def _facts(story: Story, name: str) -> GuestFacts | None:
    return next((guest for guest in story.facts if guest.name == name), None)


def _state_is(story: Story, name: str, state: str) -> bool:
    facts = _facts(story, name)
    if state == "gone":
        return facts is None
    if facts and state == "saved":
        return facts.saved
    return facts is not None and facts.state == state


def _wanted_is(story: Story, name: str, wanted: str) -> bool:
    facts = _facts(story, name)
    assert facts is not None
    return desired(story.records.get(facts.id), facts, story.boot).wanted == wanted


def _held_is(story: Story, name: str, words: str | None) -> bool:
    facts = _facts(story, name)
    record = story.records.get(facts.id) if facts else None
    return record is not None and record.hold is not None and (words or "") in record.hold


def _is_not_held(story: Story, name: str) -> bool:
    return not _held_is(story, name, None)


def _was(story: Story, name: str, fate: str, times: str) -> bool:
    facts = _facts(story, name)
    happened = [e for e in story.chronicle if facts and e.guest == facts.id and e.fate == fate]
    return len(happened) == int(times)


def _was_before(story: Story, name: str, fate: str, limit: str) -> bool:
    facts, end = _facts(story, name), parse_duration(limit)
    times = [e.time for e in story.chronicle if facts and e.guest == facts.id and e.fate == fate]
    return bool(times) and times[-1] < end


def _step_says(story: Story, number: str, name: str, words: str) -> bool:
    results = [g for g in _run(story, number)[1].guests if g.name == name]
    texts = [g.why for g in results] + [s.reason for g in results for s in g.steps]
    return any(words in text for text in texts)


def _planned(story: Story, number: str, name: str, words: str) -> bool:
    plans = [plan for _, plan, _ in _run(story, number)[0].report.plans]
    plans += [Plan(plans[0].kind, (p,)) for _, p in _run(story, number)[0].report.added]
    entries = [entry for plan in plans for entry in plan.guests if entry.guest.name == name]
    return any(words in describe(entry) for entry in entries)


def _called(story: Story, name: str, times: str, call: str) -> bool:
    made = [c for c in story.calls if c.guest == name and c.name == call]
    return len(made) == int(times)


def _saves(story: Story, most: str) -> bool:
    return story.most_saves == int(most)


def _shutdowns(story: Story, most: str) -> bool:
    return max((most_at_a_time(done, Step.SHUTDOWN) for done in story.commands), default=0) == int(
        most
    )


def most_at_a_time(done: Done, step: Step) -> int:
    """How many guests were in this step at one time."""
    within: set[GuestId] = set()
    most = 0
    for _, event in done.report.events:
        match event:
            case StepBegan(guest, begun) if begun is step:
                within.add(guest.id)
            case StepEnded(guest):
                within.discard(guest.id)
        most = max(most, len(within))
    return most


def _told(story: Story, name: str, words: str) -> bool:
    return any(words in reason for reason in story.trail(name))


CHECKS: dict[str, Callable[..., bool]] = {
    r"run (\d+) is (not )?ok": _run_is,
    r"run (\d+) takes at most (.+)": _run_within,
    r"run (\d+): (\S+) (saved|shut-down|powered-off|resumed|started|skipped|held|gone|unknown"
    r"|failed)": _guest_outcome,
    r"run (\d+): nothing of (\S+)": _not_in_run,
    r"run (\d+): (\S+) because of (.+)": _step_says,
    r"run (\d+) plans for (\S+): (.+)": _planned,
    r"(\S+) is held(?: because (.+))?": _held_is,
    r"(\S+) is not held": _is_not_held,
    r"(\S+) was (booted|resumed|save discarded) (\d+) times?": _was,
    r"(\S+) was (booted|resumed) before (\d+\S+)": _was_before,
    r"(\S+) is (running|paused|shut off|saved|gone|pmsuspended|crashed)": _state_is,
    r"(\S+) is wanted (on|off)": _wanted_is,
    r"(\S+) gets (\d+) (.+)": _called,
    r"(\d+) saves at a time": _saves,
    r"(\d+) shutdowns at a time": _shutdowns,
    r"the trail of (\S+) says: (.+)": _told,
}
