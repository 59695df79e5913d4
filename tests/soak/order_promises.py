"""Promises about the order of guests, held against when what was called and what became of them.

Each function yields what is wrong with one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guestctl.config.settings import Order
from guestctl.decisions.policy import is_called, resolve
from guestctl.decisions.sequence import Sequence, sequence_for
from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.plan import GuestPlan, Outcome, RunKind
from guestctl.model.record import Wanted
from guestctl.model.report import GuestEnded
from tests.sim.chronicle import BEGINNINGS, ENDS, By
from tests.sim.scenario import is_up

from .case import Case

GIVEN_UP = "its order is given up: no time is left to wait for"
_DOWN_CALLS = ("save", "poweroff", "request_shutdown agent", "request_shutdown acpi")


def order_down_is_kept(case: Case) -> Iterator[str]:
    """Nobody is taken down before those that come after it, or its trail says why."""
    if case.kind is RunKind.RESTORE or not case.ledger_worked:
        return
    busy = [plan.guest for plan in _planned(case)]
    order = sequence_for(case.script.config, busy)
    begun, through = _first_calls(case, _DOWN_CALLS), _through_down(case)
    for guest in busy:
        for other in guests_behind(order, guest.id) if guest.name in begun else ():
            too_soon = begun[guest.name] < through.get(other, float("inf"))
            if too_soon and not _has_given_up(case, guest.id):
                yield f"{guest.name} is taken down before {case.guest(other).name}"


def guests_behind(order: Sequence, guest: GuestId) -> set[GuestId]:
    """Those that go down before this one by its own words, theirs, or numbers."""
    graph, found = order.backwards(), set[GuestId]()
    left = list(graph.get(guest, ()))
    while left:
        node = left.pop()
        if isinstance(node, GuestId):
            found.add(node)
        else:
            left += graph[node]
    return found


def _through_down(case: Case) -> dict[GuestId, float]:
    """From when on nobody need wait for each any more."""
    names = {facts.name: guest for guest, facts in case.was.facts.items()}
    moments = [(names.get(call.guest), call.time) for call in case.calls if call.name == "save"]
    moments += [(entry.guest, entry.time) for entry in case.entries if entry.fate in ENDS]
    moments += [*_ended(case).items()]
    found: dict[GuestId, float] = {}
    for guest, time in moments:
        if guest is not None:
            found[guest] = min(time, found.get(guest, time))
    return found


def order_up_is_kept(case: Case) -> Iterator[str]:
    """Nobody is started before those are through that it comes after."""
    if case.kind is not RunKind.RESTORE:
        return
    coming = [plan.guest for plan in _planned(case)]
    begun, ended = _first_calls(case, ("start",)), _ended(case)
    for guest in coming:
        for other in _wished(case, guest, coming) if guest.name in begun else ():
            if begun[guest.name] < ended.get(other.id, float("inf")):
                yield f"{guest.name} is started before {other.name}, which it comes after"


def _wished(case: Case, guest: GuestFacts, among: list[GuestFacts]) -> Iterator[GuestFacts]:
    """Those of them that it comes after, as far as the run did not say that this is left out."""
    own = _order(case, guest)
    words = () if _is_said(case, f"that {guest.name} comes after") else (*own.after, *own.requires)
    for other in among:
        if other.id == guest.id:
            continue
        if any(is_called(other, word) for word in words) or _is_lower(case, other, guest):
            yield other


def _is_lower(case: Case, one: GuestFacts, other: GuestFacts) -> bool:
    """Whether its number is below that of the other; not where one does not count."""
    low, high = _order(case, one).order, _order(case, other).order
    counts = not any(_is_said(case, f"{it.name}: its `order` is below") for it in (one, other))
    return low is not None and high is not None and low < high and counts


def nobody_is_started_without_what_it_requires(case: Case) -> Iterator[str]:
    """Not while one of those is down that is to be up."""
    if case.kind is not RunKind.RESTORE or not case.ledger_worked:
        return
    for name, time in _first_calls(case, ("start",)).items():
        guest = next((facts for facts in case.was.facts.values() if facts.name == name), None)
        if guest is None or _is_said(case, f"that {name} comes after"):
            continue
        for other in _required(case, guest):
            if not _is_up_at(case, other.id, time) and not _somebody_else(case, other.id):
                yield f"{name} is started, though it requires {other.name}, which is down"


def _required(case: Case, guest: GuestFacts) -> Iterator[GuestFacts]:
    """Those of what it requires that are to be up."""
    words = _order(case, guest).requires
    coming = {plan.guest.id for plan in _planned(case)}
    for other in case.was.facts.values():
        if other.id == guest.id or not any(is_called(other, word) for word in words):
            continue
        record = case.was.records.get(other.id)
        wanted = record is not None and record.wanted is Wanted.ON and record.flag_word is None
        if other.id in coming or (wanted and not case.command.names):
            yield other


def _is_up_at(case: Case, guest: GuestId, time: float) -> bool:
    up = is_up(case.was.facts[guest])
    for entry in case.entries:
        if entry.guest == guest and entry.time <= time:
            up = entry.fate in BEGINNINGS or (up and entry.fate not in ENDS)
    return up


def lacks_what_it_requires(case: Case, guest: GuestFacts) -> bool:
    """Whether one of those that it requires is down, or not ready, as the run ends."""
    words, records = _order(case, guest).requires, case.host.ledger.guests(case.host.boot_id)
    # One that is not listed and still wanted may come back: its definition can be late.
    everybody = {i: GuestFacts(i, it.name, State.UNKNOWN) for i, it in records.items()}
    everybody |= {other.id: other.facts for other in case.host.guests()}
    for other in everybody.values():
        if other.id == guest.id or not any(is_called(other, word) for word in words):
            continue
        record, result = records.get(other.id), case.result(other.id)
        late = result is not None and result.outcome is Outcome.FAILED
        # Or somebody else has just started it.
        late = late or _somebody_else(case, other.id)
        if late or not is_up(other) or (record and record.unready):
            return True
    return False


def everybody_has_its_steps(case: Case) -> Iterator[str]:
    """Whoever is not down in the end has had each step, or was told why not."""
    if case.kind is RunKind.RESTORE or case.run is None or case.run.interrupted:
        return
    plans = {plan.guest.id: plan for plan in _planned(case)}
    plans |= {plan.guest.id: plan for _, plan in case.done.report.added}
    for result in case.run.guests:
        plan = plans.get(result.guest)
        if plan is None or result.outcome is not Outcome.FAILED or "started it again" in result.why:
            continue
        missing = {step.step for step in plan.steps} - {step.step for step in result.steps}
        if missing:
            yield f"{result.name} is left up without {', '.join(sorted(missing))}"


# -- what was told and called --------------------------------------------------------------------


def _planned(case: Case) -> list[GuestPlan]:
    """Those that the run set out to do something with."""
    plans = case.done.report.plans
    return [plan for plan in plans[0][1].guests if plan.outcome is None] if plans else []


def _order(case: Case, guest: GuestFacts) -> Order:
    return resolve(case.script.config, guest).order


def _first_calls(case: Case, names: Iterable[str]) -> dict[str, float]:
    """When each guest was first called so, by its name."""
    found: dict[str, float] = {}
    for call in case.calls:
        if call.name in names:
            found[call.guest] = min(call.time, found.get(call.guest, call.time))
    return found


def _ended(case: Case) -> dict[GuestId, float]:
    """When the run was first through with each guest."""
    found: dict[GuestId, float] = {}
    for time, event in case.done.report.events:
        if isinstance(event, GuestEnded):
            found.setdefault(event.result.guest, time)
    return found


def _is_said(case: Case, text: str) -> bool:
    return any(text in trouble for _, trouble in case.done.report.troubles)


def _has_given_up(case: Case, guest: GuestId) -> bool:
    news = case.host.ledger.trail.since(case.was.trail)
    return any(it.guest == guest and it.entry.reason.startswith(GIVEN_UP) for it in news)


def _somebody_else(case: Case, guest: GuestId) -> bool:
    return any(entry.guest == guest and entry.by is not By.GUESTCTL for entry in case.entries)
