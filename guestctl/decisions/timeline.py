"""A run in time: when each guest begins and ends, and what there is no time for.  Pure.

Goes through a run as `runs` carries it out: turns, slots, limits and deadline are those of the
run, and each step takes as long as it should.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import inf

from ..model.guest import GuestId
from ..model.plan import Estimate, GuestPlan, Plan, Step, StepPlan
from ..model.timeline import Timeline
from .budget import Budget
from .estimates import expected
from .sequence import Sequence
from .simulated import Clock, Line, SimulatedGuest
from .waiting import Waiting

Steps = tuple[StepPlan, ...]
UNORDERED = Sequence()
NO_TIME: Mapping[GuestId, float] = {}
AT_ONCE: Mapping[GuestId, Estimate] = {}
NO_SLOT = "no time left when it was its turn"


def timeline_down(
    plan: Plan,
    parallel: int,
    budget: Budget,
    order: Sequence = UNORDERED,
    left: float | None = None,
    shutdowns: int | None = None,
) -> Timeline:
    """The run that takes these guests down.

    parallel: how many are saved at a time.  left: the seconds until the deadline as the run begins,
    where that is not all of it.  shutdowns: how many shut down at a time, as long as there is time
    for that; all for None.
    """
    left = budget.deadline if left is None else left
    run = _Down(plan, (parallel, shutdowns), budget, order, left)
    run.carry_out()
    return Timeline(tuple(guest.timed for guest in _in_order(plan, run.guests)), left)


def timeline_up(
    plan: Plan,
    parallel: int,
    order: Sequence = UNORDERED,
    delays: Mapping[GuestId, float] = NO_TIME,
    settles: Mapping[GuestId, Estimate] = AT_ONCE,
) -> Timeline:
    """The run that brings these guests up.

    parallel: how many are started at a time.  delays: for how many seconds after a guest's start
    the next has to wait.  settles: how long one that runs takes to be ready, so that those may
    begin that come after it; nothing, unless told.
    """
    run = _Up(plan, parallel, order, delays, settles)
    run.carry_out()
    return Timeline(tuple(guest.timed for guest in _in_order(plan, run.guests)))


def _in_order(plan: Plan, guests: Mapping[GuestId, SimulatedGuest]) -> Iterable[SimulatedGuest]:
    return (guests[planned.guest.id] for planned in plan.guests if planned.guest.id in guests)


def longest_first(
    plans: Iterable[GuestPlan],
    order: Sequence = UNORDERED,
    hurried: Collection[GuestId] = frozenset(),
) -> list[GuestPlan]:
    """The guests in the order in which their saves begin, so that the whole ends soonest.

    Whoever takes longest comes first, those that have to wait for it included; by name where that
    is the same.  hurried: those for which no time is left to wait: each counts for itself.
    """
    given = tuple(plans)
    takes = {plan.guest.id: _first_takes(plan) for plan in given}
    kept = order.time_kept(takes, saved_first(given))

    def rank(plan: GuestPlan) -> tuple[float, str, GuestId]:
        own = plan.guest.id
        alone = own in hurried or own not in kept
        return -(takes[own] if alone else kept[own]), plan.guest.name, own

    return sorted(given, key=rank)


def saved_first(plans: Iterable[GuestPlan]) -> frozenset[GuestId]:
    """Those whose first step is a save: nobody has to wait for its end."""
    first = ((plan.guest.id, plan.steps[0].step) for plan in plans if plan.steps)
    return frozenset(guest for guest, step in first if step is Step.SAVE)


def time_kept(
    plans: Iterable[GuestPlan], order: Sequence, budget: Budget, parallel: int
) -> dict[GuestId, float]:
    """How long before the deadline each guest begins at the latest, whoever is still up then.

    Those that are to be saved share so many slots: each keeps the time that all of them need.
    """
    given = tuple(plans)
    needs = {plan.guest.id: budget.needs(plan.steps) for plan in given}
    saves = saved_first(given)
    in_turns = sum(_first_takes(plan) for plan in given if plan.guest.id in saves) / parallel
    longest = max((needs[guest] for guest in saves), default=0.0)
    if len(saves) > parallel:
        needs |= dict.fromkeys(saves, in_turns + longest)
    return order.time_kept(needs, saves)


def latest_shutdown(plan: GuestPlan, steps: Steps, budget: Budget, kept: float | None) -> float:
    """How long before the deadline a guest shuts down at the latest, however many do by then.

    steps: the shutdown, and what comes after it.  kept: of the guest, see time_kept; where it is
    not in the order, None.  Those behind one that was to be saved had their turn with that.
    """
    own = budget.needs(steps)
    is_first = len(steps) == len(plan.steps)
    return max(own, kept) if is_first and kept is not None else own


def _first_takes(plan: GuestPlan) -> float:
    return expected(plan.guest, plan.steps[0]).seconds if plan.steps else 0.0


class _Down:
    """A guest is through for those that wait for it as its save begins, else once it is down, or
    no more is done to it."""

    def __init__(
        self,
        plan: Plan,
        at_a_time: tuple[int, int | None],
        budget: Budget,
        order: Sequence,
        left: float,
    ) -> None:
        """at_a_time: how many are saved, and how many shut down."""
        parallel, shutdowns = at_a_time
        self._clock, self._budget, self._ends = Clock(), budget, left
        self._saves = Line(parallel, self._clock, self._try)
        self._shutdowns = Line(shutdowns or inf, self._clock, self._try)
        busy = [guest for guest in plan.guests if guest.steps]
        self._kept = time_kept(busy, order, budget, parallel)
        hurried = {guest for guest, seconds in self._kept.items() if seconds >= left}
        first = longest_first(busy, order, hurried)
        self.guests = {plan.guest.id: SimulatedGuest(plan) for plan in first}
        self._place = {guest: place for place, guest in enumerate(self.guests)}
        self._waiting = Waiting(order.backwards())
        self._idle = [guest.guest.id for guest in plan.guests if not guest.steps]

    def carry_out(self) -> None:
        for guest in self.guests.values():
            latest = self._ends - self._kept.get(guest.id, self._ends)
            self._clock.at(latest, partial(self._wait_no_longer, guest), is_limit=True)
        self._take_turns(self._waiting.free)
        for idle in self._idle:
            self._through(idle)
        self._clock.run()

    # Turns

    def _through(self, guest: GuestId) -> None:
        self._take_turns(self._waiting.through(guest))

    def _take_turns(self, freed: Iterable[GuestId]) -> None:
        here = [guest for guest in freed if guest in self.guests]
        for guest in sorted(here, key=self._place.__getitem__):
            self._clock.soon(partial(self._take_turn, self.guests[guest]))

    def _wait_no_longer(self, guest: SimulatedGuest) -> None:
        if guest.turn is None:
            guest.passed = tuple(sorted(self._waiting.awaited(guest.id)))
            self._take_turn(guest)

    def _take_turn(self, guest: SimulatedGuest) -> None:
        if guest.turn is None:
            guest.turn = self._clock.now
            self._go_on(guest)

    # Steps

    def _go_on(self, guest: SimulatedGuest) -> None:
        if guest.next is None:
            self._through(guest.id)
        elif guest.next.step is Step.SAVE:
            self._ask_to_save(guest)
        elif guest.next.step is Step.SHUTDOWN:
            self._ask_to_shut_down(guest)
        else:
            self._try(guest)

    def _ask_to_save(self, guest: SimulatedGuest) -> None:
        """As long as a save can still be done in the time that is left."""
        assert guest.next is not None
        estimate = guest.next.estimate or 0.0
        if self._saves.ask(guest):
            patience = self._allowance(guest, inf) - estimate
            until = self._clock.now + max(0.0, patience)
            self._clock.at(until, partial(self._give_up_slot, guest), is_limit=True)

    def _give_up_slot(self, guest: SimulatedGuest) -> None:
        if self._saves.leave(guest):
            guest.leave_out(self._clock.now, NO_SLOT)
            self._go_on(guest)

    def _ask_to_shut_down(self, guest: SimulatedGuest) -> None:
        """As long as there is time to wait: see latest_shutdown."""
        kept = self._kept.get(guest.id)
        steps = guest.plan.steps[-1 - len(guest.later) :]
        if self._shutdowns.ask(guest):
            until = self._ends - latest_shutdown(guest.plan, steps, self._budget, kept)
            self._clock.at(until, partial(self._crowd_in, guest), is_limit=True)

    def _crowd_in(self, guest: SimulatedGuest) -> None:
        if self._shutdowns.leave(guest):
            guest.crowded = True
            self._shutdowns.crowd_in(guest)

    def _allowance(self, guest: SimulatedGuest, timeout: float | None = None) -> float:
        assert guest.next is not None
        planned = guest.next if timeout is None else replace(guest.next, timeout=timeout)
        left = max(0.0, self._ends - self._clock.now)
        return self._budget.allowance(planned, guest.later, left)

    def _try(self, guest: SimulatedGuest) -> None:
        assert guest.next is not None
        limit, step = self._allowance(guest), guest.next.step
        if reason := self._budget.why_left_out(guest.next, limit):
            guest.leave_out(self._clock.now, reason)
            self._ended(guest, step)
            return
        ends = guest.begin(self._clock.now, limit)
        self._clock.at(ends, partial(self._ended, guest, step))
        if step is Step.SAVE:
            self._through(guest.id)

    def _ended(self, guest: SimulatedGuest, step: Step) -> None:
        if step is Step.SAVE:
            self._saves.free()
        elif step is Step.SHUTDOWN:
            self._shutdowns.free()
        self._go_on(guest)


class _Up:
    """Guests are started one after another as slots get free, those that wait for nobody first."""

    def __init__(
        self,
        plan: Plan,
        parallel: int,
        order: Sequence,
        delays: Mapping[GuestId, float],
        settles: Mapping[GuestId, Estimate],
    ) -> None:
        self._clock, self._slots = Clock(), parallel
        self._delays, self._settles = delays, settles
        self.guests = {p.guest.id: SimulatedGuest(p) for p in plan.guests if p.steps}
        self._place = {guest: place for place, guest in enumerate(self.guests)}
        self._waiting = Waiting(order.waits_for)
        self._others = [
            *(p.guest.id for p in plan.guests if not p.steps),
            *(g for g in self.guests if g not in order.waits_for),
        ]
        self._queue: dict[GuestId, SimulatedGuest] = {}
        #: Before this nobody is started.
        self._pause_ends = 0.0

    def carry_out(self) -> None:
        known = self._waiting.free
        self._line_up([*known, *self._others])
        for other in self._others:
            self._through(other)
        self._clock.run()

    def _through(self, guest: GuestId) -> None:
        self._line_up(self._waiting.through(guest))

    def _line_up(self, freed: Iterable[GuestId]) -> None:
        here = [guest for guest in freed if guest in self.guests]
        for guest in sorted(here, key=self._place.__getitem__):
            self.guests[guest].turn = self._clock.now
            self._queue[guest] = self.guests[guest]
        self._clock.soon(self._hand_out)

    def _hand_out(self) -> None:
        while self._slots and self._queue and self._pause_ends <= self._clock.now:
            self._slots -= 1
            self._begin(self._queue.pop(next(iter(self._queue))))

    def _begin(self, guest: SimulatedGuest) -> None:
        assert guest.next is not None
        ends = guest.begin(self._clock.now, guest.next.timeout)
        self._clock.at(ends, partial(self._ended, guest))
        self._pause_ends = self._clock.now + self._delays.get(guest.id, 0.0)
        self._clock.at(self._pause_ends, self._hand_out)

    def _ended(self, guest: SimulatedGuest) -> None:
        self._slots += 1
        self._clock.soon(self._hand_out)
        guest.settles = self._settles.get(guest.id)
        takes = guest.settles.seconds if guest.settles else 0.0
        self._clock.at(self._clock.now + takes, partial(self._through, guest.id))
