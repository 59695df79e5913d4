"""What is known beforehand: room for saves, earlier refusals, how long steps take.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..model.guest import GuestFacts, GuestId
from ..model.history import PastShutdown, PastStart
from ..model.plan import Basis, Estimate, GuestPlan, Outcome, Step, StepPlan
from ..model.save import SaveRecord
from ..model.units import show_size
from .median import median
from .save_speed import SaveSpeeds

#: How many of the newest an estimate goes by: of the guest itself, or of the host.
OWN_SAVES, HOST_SHUTDOWNS, HOST_STARTS = 3, 20, 20


@dataclass(frozen=True)
class SaveForecast:
    """The ledger's saves, and the bytes free where saves go, by URI, where that is known.

    displaced: connections whose folder of saves is not mounted any more.  shutdowns: of before,
    oldest first.  parallel: how many a run saves at a time, 0 where nothing goes by that.
    """

    records: tuple[SaveRecord, ...] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    reserve: int = 0
    displaced: frozenset[str] = frozenset()
    shutdowns: tuple[PastShutdown, ...] = ()
    parallel: int = 0

    def estimate(self, guest: GuestFacts, at_a_time: int = 0) -> Estimate | None:
        """How long a save will take where so many share the storage, by the slowest of the guest's
        last ones, else by the host's usual speed; None without any."""
        past = self._finished_of.get(guest.id, ())
        own = [
            self._speeds.seconds_now(record, at_a_time)
            for record in past
            if record.memory == guest.memory
        ]
        if own:
            return Estimate(max(own[-OWN_SAVES:]), Basis.OWN)
        speed = self._speeds.usual(at_a_time)
        return Estimate(guest.memory / speed, Basis.LIKE) if speed else None

    def shutdown_estimate(self, guest: GuestFacts) -> Estimate | None:
        """How long the guest will take to shut down, by the slowest of its last ones, else as is
        usual on the host; None without any."""
        own, usual = self._shutdowns_of.get(guest.id), self._usual_shutdown
        if own:
            return Estimate(max(own[-OWN_SAVES:]), Basis.OWN)
        return Estimate(usual, Basis.LIKE) if usual else None

    def refusal(self, guest: GuestFacts) -> str:
        """Why a save cannot be tried: where it would go, or since libvirt refused the last one of
        this guest and its XML has not changed since."""
        if guest.id.uri in self.displaced:
            return DISPLACED
        own = self._of.get(guest.id, ())
        if not guest.info.digest:
            return ""
        if own and own[-1].refusal and own[-1].digest == guest.info.digest:
            return f"libvirt refused the last one: {own[-1].refusal}"
        return ""

    # Each is asked for every guest, and a host of many guests has many times as many saves.

    @cached_property
    def _of(self) -> Mapping[GuestId, Sequence[SaveRecord]]:
        of: dict[GuestId, list[SaveRecord]] = {}
        for record in self.records:
            of.setdefault(record.guest, []).append(record)
        return of

    @cached_property
    def _finished_of(self) -> Mapping[GuestId, Sequence[SaveRecord]]:
        of: dict[GuestId, list[SaveRecord]] = {}
        for record in self._speeds.finished:
            of.setdefault(record.guest, []).append(record)
        return of

    @cached_property
    def _speeds(self) -> SaveSpeeds:
        return SaveSpeeds(self.records, self.parallel)

    @cached_property
    def _shutdowns_of(self) -> Mapping[GuestId, Sequence[float]]:
        of: dict[GuestId, list[float]] = {}
        for past in self.shutdowns:
            of.setdefault(past.guest, []).append(past.seconds)
        return of

    @cached_property
    def _usual_shutdown(self) -> float | None:
        """Seconds."""
        newest = self.shutdowns[-HOST_SHUTDOWNS:]
        return median(past.seconds for past in newest) if newest else None


@dataclass(frozen=True)
class StartForecast:
    """How long it took to bring guests up, oldest first, and the memory of guests in bytes."""

    past: tuple[PastStart, ...] = ()
    memory: Mapping[GuestId, int] = field(default_factory=dict)

    def estimate(self, guest: GuestFacts, step: Step) -> Estimate | None:
        """By the slowest of the guest's last ones, else as is usual on the host: what is resumed,
        by its memory; None without any."""
        own = [one.seconds for one in self._of.get((guest.id, step), ())]
        if own:
            return Estimate(max(own[-OWN_SAVES:]), Basis.OWN)
        if step is Step.RESUME and guest.memory and self._usual_resume:
            return Estimate(guest.memory * self._usual_resume, Basis.LIKE)
        usual = self._usual.get(step)
        return Estimate(usual, Basis.LIKE) if usual else None

    def ready_after(self, guest: GuestId, step: Step) -> float | None:
        """After how many seconds the guest, once up, will be ready, by the slowest of its last ones
        that began so; None without any: what others take tells nothing of it."""
        own = [one.ready for one in self._of.get((guest, step), ()) if one.ready is not None]
        return max(own[-OWN_SAVES:]) if own else None

    @cached_property
    def _of(self) -> Mapping[tuple[GuestId, Step], Sequence[PastStart]]:
        of: dict[tuple[GuestId, Step], list[PastStart]] = {}
        for one in self.past:
            of.setdefault((one.guest, one.step), []).append(one)
        return of

    @cached_property
    def _usual(self) -> Mapping[Step, float]:
        """Seconds."""
        steps = {one.step for one in self.past}
        return {step: median(one.seconds for one in self._newest(step)) for step in steps}

    @cached_property
    def _usual_resume(self) -> float | None:
        """Seconds for a byte."""
        newest = [(one, self.memory.get(one.guest, 0)) for one in self._newest(Step.RESUME)]
        takes = [one.seconds / memory for one, memory in newest if memory]
        return median(takes) if takes else None

    def _newest(self, step: Step) -> Sequence[PastStart]:
        return [one for one in self.past if one.step is step][-HOST_STARTS:]


DISPLACED = "the folder of saves is not the one that was there: it was unmounted"
NO_FORECAST = SaveForecast()


def share_room(plans: Iterable[GuestPlan], forecast: SaveForecast) -> tuple[GuestPlan, ...]:
    """The plans, without saves for which there is no room; small guests go first.

    A save can take as much as the guest's memory.
    """
    given = tuple(plans)
    left = {uri: free - forecast.reserve for uri, free in forecast.room.items()}
    refused: dict[GuestId, str] = {}
    for plan in sorted(given, key=lambda p: (p.guest.memory, p.guest.name)):
        uri, needs = plan.guest.id.uri, plan.guest.memory
        if not plan.saves or uri not in left:
            continue
        if needs <= left[uri]:
            left[uri] -= needs
        else:
            refused[plan.guest.id] = _no_room(needs, left[uri], forecast.reserve)
    return tuple(
        _without_save(p, refused[p.guest.id]) if p.guest.id in refused else p for p in given
    )


def share_storage(plans: Iterable[GuestPlan], forecast: SaveForecast) -> tuple[GuestPlan, ...]:
    """The plans, their saves expected to take as long as with all others that share the storage."""
    given = tuple(plans)
    saves = Counter(plan.guest.id.uri for plan in given if plan.saves)
    at_a_time = {uri: min(count, forecast.parallel) for uri, count in saves.items()}
    return tuple(
        _sharing(plan, at_a_time[plan.guest.id.uri], forecast) if plan.saves else plan
        for plan in given
    )


def _sharing(plan: GuestPlan, at_a_time: int, forecast: SaveForecast) -> GuestPlan:
    def with_estimate(planned: StepPlan) -> StepPlan:
        if planned.step is not Step.SAVE:
            return planned
        seconds, basis = forecast.estimate(plan.guest, at_a_time) or (None, None)
        return replace(planned, estimate=seconds, basis=basis, at_a_time=at_a_time)

    return replace(plan, steps=tuple(map(with_estimate, plan.steps)))


_NO_ROOM = "no room: "


def without_room(plan: GuestPlan) -> str:
    """Why a guest that would be saved finds no room for that; "" for all others."""
    reason = dict(plan.left_out).get(Step.SAVE, "")
    return reason.removeprefix(_NO_ROOM) if reason.startswith(_NO_ROOM) else ""


def _no_room(needs: int, left: int, reserve: int) -> str:
    return (
        f"{_NO_ROOM}it can take {show_size(needs)}, and {show_size(max(0, left))} are left"
        f" beside the reserve of {show_size(reserve)}"
    )


def _without_save(plan: GuestPlan, reason: str) -> GuestPlan:
    steps = tuple(planned for planned in plan.steps if planned.step is not Step.SAVE)
    left_out = ((Step.SAVE, reason), *plan.left_out)
    if not steps:
        return replace(plan, steps=(), left_out=left_out, outcome=Outcome.FAILED, reason=reason)
    return replace(plan, steps=steps, left_out=left_out)
