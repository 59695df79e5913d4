"""A scenario's story as text: plan, trail, outcome."""

from __future__ import annotations

from collections import Counter

from guestctl.decisions.overview import rows
from guestctl.decisions.plan import describe
from guestctl.decisions.policy import resolve
from guestctl.model.guest import GuestFacts
from guestctl.model.result import RunResult
from guestctl.model.units import show_duration

from .scenario import Done, Story

#: Calls that only read are no news.
_READS = ("guests", "observe", "job", "natures")


def plan_text(story: Story) -> str:
    """Every run's plan as it was when the run began, and what was added later."""
    return "\n".join(_plans(done) for done in story.commands if done.report.plans)


def _plans(done: Done) -> str:
    lines = []
    for time, plan, trigger in done.report.plans:
        lines.append(f"{_time(time)} {done.command}: {plan.kind} ({trigger})")
        lines += [f"  {entry.guest.name}: {describe(entry)}" for entry in plan.guests]
    for time, added in done.report.added:
        lines.append(f"  {_time(time)} {added.guest.name} added: {describe(added)}")
    return "\n".join(lines) + "\n"


def trail_text(story: Story) -> str:
    """Every guest's reason trail."""
    return "\n".join(_trail(name, story.trails[name]) for name in story.trails)


def _trail(name: str, entries: list[tuple[float, str, str]]) -> str:
    lines = [f"  {_time(time):<8} {source:<19} {reason}" for time, source, reason in entries]
    return "\n".join([name, *lines]) + "\n"


def outcome_text(story: Story) -> str:
    """How every command went, and how things stand at the end."""
    parts = [_command(done) for done in story.commands]
    parts.append(_state(story))
    parts.append(_calls(story))
    return "\n".join(parts)


def _command(done: Done) -> str:
    head = f"{_time(done.begun)} {done.command}"
    result = done.result
    if isinstance(result, str):
        return f"{head}: {result}\n"
    lines = [f"{head}: {_verdict(result)}, {_time(done.ended - done.begun)}"]
    lines += [f"  lost {uri}: {reason}" for uri, reason in result.lost.items()]
    for guest in result.guests:
        reason = f": {guest.reason}" if guest.reason else ""
        lines.append(f"  {guest.name} {guest.outcome}, {_time(guest.seconds)}{reason}")
        for step in guest.steps:
            why = f": {step.reason}" if step.reason else ""
            lines.append(f"    {step.step} {step.end}, {_time(step.seconds)}{why}")
    lines += [f"  trouble at {_time(time)}: {text}" for time, text in done.report.troubles]
    return "\n".join(lines) + "\n"


def _verdict(result: RunResult) -> str:
    return ("ok" if result.ok else "not ok") + (", interrupted" if result.interrupted else "")


def _state(story: Story) -> str:
    made = rows(
        story.facts, story.known, lambda g: resolve(story.config, g), story.boot, owned=False
    )
    facts = {guest.id.uuid: guest for guest in story.facts}
    lines = [f"at the end, {_time(story.ended)}:"]
    for row in made:
        by = f" (stopped by {row.stopped_by})" if row.stopped_by else ""
        lines.append(
            f"  {row.name} {_shown(facts[row.uuid])}; wanted {row.wanted}{by};"
            f" next boot: {row.next_boot}"
        )
    return "\n".join(lines) + "\n"


def _shown(guest: GuestFacts) -> str:
    saved = ", has a save" if guest.saved else ""
    transient = "" if guest.persistent else ", transient"
    return f"{guest.state} ({guest.reason}{saved}{transient})"


def _calls(story: Story) -> str:
    counts = Counter((c.guest, c.name) for c in story.calls if c.name not in _READS)
    lines = ["calls:"]
    for guest in sorted({name for name, _ in counts}):
        made = [f"{n} {call}" for (name, call), n in sorted(counts.items()) if name == guest]
        lines.append(f"  {guest}: {', '.join(made)}")
    lines.append(f"  saves at a time: {story.most_saves}")
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    return show_duration(round(seconds, 2))
