"""The order of a run's guests as it is made of their plans, and what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from ..decisions.sequence import Sequence, mistakes_of, sequence_for
from ..decisions.timeline import time_kept
from ..model.guest import GuestFacts, GuestId, State
from ..model.plan import GuestPlan, Outcome, Plan
from ..model.record import GuestRecord, Wanted
from ..model.report import Listener, Trouble, names
from .run import Run
from .turns import Turns

#: A thousand guests that all come after "*" make as many circles.
MOST_SAID = 10


class RunOrder:
    """Whose turn it is, and whom a guest would need, in words."""

    def __init__(
        self,
        sequence: Sequence,
        turns: Turns,
        guests: Iterable[GuestFacts],
        up: Iterable[GuestId] = (),
        unready: Iterable[GuestId] = (),
        kept: Mapping[GuestId, float] | None = None,
    ) -> None:
        """up: who of them is up; unready: who of those is not ready.  kept: see time_kept."""
        self._kept = kept or {}
        self.sequence, self._turns = sequence, turns
        self._guests = tuple(guests)
        self._called = {guest.id: guest.name for guest in self._guests}
        self._up, self._unready = set(up), set(unready)
        #: Those for which no time is left to wait.
        self.hurried: frozenset[GuestId] = frozenset()

    def time_kept(self, guest: GuestId) -> float | None:
        """How long before the deadline it has to begin to go down; None where it has no order."""
        return self._kept.get(guest)

    def say_mistakes(self, tell: Listener) -> None:
        """What is wrong with the order: the run goes on without that."""
        for _, text in islice(mistakes_of(self.sequence, self._guests), MOST_SAID):
            tell(Trouble(text))

    def awaited(self, guest: GuestId) -> str:
        """Names of those before it that are not through."""
        return self._names(self._turns.awaited(guest))

    async def wait(self, guest: GuestId) -> str:
        """Until it is its turn, or time is over; names of those that were not through by then."""
        return self._names(await self._turns.wait(guest))

    def is_through(self, guest: GuestId, *, is_up: bool = False, unready: bool = False) -> None:
        """Nobody need wait for it any more.  is_up: it is up; unready: and not ready in time."""
        if is_up:
            self._up.add(guest)
        if unready:
            self._unready.add(guest)
        self._turns.is_through(guest)

    def missing(self, guest: GuestId) -> str:
        """Those without which it is not started, and that did not come up or are not ready."""
        return self._lacking(self.sequence.required(guest))

    def absent(self, guest: GuestId) -> str:
        """Those that it comes after, and that did not come up or are not ready."""
        return self._lacking(self.sequence.wished(guest))

    def _lacking(self, guests: Collection[GuestId]) -> str:
        """Names, with what they are not; empty for nobody."""
        down = {guest for guest in guests if guest not in self._up}
        unready = {guest for guest in guests if guest in self._unready} - down
        said = [(down, "not up yet"), (unready, "not ready yet")]
        return "; ".join(f"{self._names(whom)}, {what}" for whom, what in said if whom)

    def _names(self, guests: Iterable[GuestId]) -> str:
        return names(sorted(self._called[guest] for guest in guests))


def order_down(run: Run, plans: Iterable[GuestPlan]) -> RunOrder:
    """The order of those that are taken down; each waits as long as there is time for that.

    A fault of ours costs the order, not the run.
    """
    busy = [plan for plan in plans if plan.outcome is None]
    try:
        return _order_down(run, busy)
    except Exception as error:  # noqa: BLE001 - it must not keep guests from safety
        run.context.tell(Trouble(f"internal error, guests go down without an order: {error!r}"))
        return RunOrder(Sequence(), Turns({}), (plan.guest for plan in busy))


def _order_down(run: Run, busy: Collection[GuestPlan]) -> RunOrder:
    guests = [plan.guest for plan in busy]
    sequence = sequence_for(run.config, guests)
    kept = time_kept(busy, sequence, run.budget, run.config.shutdown.parallel)
    latest = {guest: run.ends - seconds for guest, seconds in kept.items()}
    order = RunOrder(sequence, Turns(sequence.backwards(), latest), guests, kept=kept)
    order.hurried = frozenset(guest for guest, seconds in kept.items() if seconds >= run.left)
    return order


def order_up(
    run: Run,
    coming: Collection[GuestFacts],
    others: Iterable[GuestFacts],
    unready: Iterable[GuestId] = (),
) -> RunOrder:
    """The order of those that are brought up.

    others: those that are up, and those that are wanted on and do not come up in this run: nobody
    waits for them, and who requires one of the latter is not started.
    unready: who of those that are up was not ready in time.
    """
    known = {guest.id: guest for guest in (*others, *coming)}
    coming_ids = {guest.id for guest in coming}
    sequence = sequence_for(run.config, known.values())
    up = [guest.id for guest in known.values() if guest.started]
    order = RunOrder(sequence, Turns(sequence.waits_for), known.values(), up, unready)
    for guest in known.keys() - coming_ids:
        order.is_through(guest)
    return order


def whoever_else(
    plan: Plan, everybody: Iterable[GuestFacts], records: Mapping[GuestId, GuestRecord]
) -> list[GuestFacts]:
    """Who is up, and who is to come up and does not in this run."""
    late = [p.guest for p in plan.guests if p.outcome not in (None, Outcome.SKIPPED)]
    wanted = {it.id: it.name for it in records.values() if it.wanted is Wanted.ON}
    seen = {guest.id: guest for guest in everybody if guest.up or guest.id in wanted}
    unseen = [GuestFacts(i, name, State.UNKNOWN) for i, name in wanted.items() if i not in seen]
    return [*unseen, *late, *seen.values()]
