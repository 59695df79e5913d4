"""All that plans go by as one value, seen just now or recorded, and the plans.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ..config.config import Config
from ..model.guest import GuestFacts, GuestId
from ..model.history import PastShutdown, PastStart
from ..model.instant import Instant
from ..model.overview import NextBoot, Row
from ..model.plan import GuestPlan, Plan, RunKind, Step, StepPlan
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..model.timeline import Timeline
from . import overview
from .budget import Budget
from .forecast import SaveForecast, StartForecast
from .plan import missing, plan_down
from .policy import own_problems, resolve, unmatched
from .profiles import under
from .restore_time import restore_in_time
from .sequence import mistakes_of, sequence_for
from .shedding import as_shed
from .timeline import timeline_down


@dataclass(frozen=True)
class LostConnection:
    """A connection that could not be read, and why; refused: for want of permission."""

    uri: str
    reason: str
    refused: bool = False


@dataclass(frozen=True)
class HostFacts:
    """What was seen and known of a host's guests at one moment.

    boot, at, up: when that was, see Instant.
    uris: the connections that were asked.  owns_next_boot: whether guestctl does libvirt's
    autostart at the next boot.  sees_all: whether the ledger is that of these guests, and could be
    read.  may_see: whether it was for this user to read.
    room: bytes free where saves go, by URI, where that is known.  saves, shutdowns, starts: oldest
    first.
    """

    boot: str
    at: int
    uris: tuple[str, ...]
    owns_next_boot: bool
    sees_all: bool
    config: Config
    lost: tuple[LostConnection, ...] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    guests: tuple[GuestFacts, ...] = ()
    records: tuple[GuestRecord, ...] = ()
    saves: tuple[SaveRecord, ...] = ()
    up: int = 0
    may_see: bool = False
    shutdowns: tuple[PastShutdown, ...] = ()
    starts: tuple[PastStart, ...] = ()

    @property
    def nothing_read(self) -> bool:
        """Whether not one connection could be read."""
        return bool(self.lost) and len(self.lost) >= len(self.uris)


def matches_of_nobody(facts: HostFacts) -> list[str]:
    """What [[guest]] tables match that are for no guest; nothing where not all could be read."""
    if facts.lost:
        return []
    numbers = unmatched(facts.config, facts.guests)
    return [facts.config.guests[number].match for number in numbers]


def mistakes_in_metadata(facts: HostFacts) -> list[tuple[GuestFacts, str]]:
    """What counts as not given of guests' own settings."""
    return [(guest, it) for guest in facts.guests for it in own_problems(facts.config, guest)]


def mistakes_in_order(facts: HostFacts) -> list[str]:
    """What is wrong with the order of all guests, as sentences."""
    return [text for _, text in mistakes_of(sequence_for(facts.config, facts.guests), facts.guests)]


def plan_of(facts: HostFacts) -> Plan:
    """What a preserve would do, with limits as its deadline cuts them."""
    plan, budget = _plan_down(facts), Budget(facts.config.shutdown.deadline)
    return replace(plan, guests=tuple(map(budget.fitted, plan.guests)))


def shed_plan_of(facts: HostFacts, named: Collection[GuestId]) -> Plan:
    """What shedding these guests would do."""
    records = {record.id: record for record in facts.records}
    plan = as_shed(_plan_down(facts, named), facts.guests, records, facts.config, facts.boot)
    budget = Budget(facts.config.shutdown.deadline)
    return replace(plan, guests=tuple(map(budget.fitted, plan.guests)))


def _plan_down(facts: HostFacts, named: Collection[GuestId] | None = None) -> Plan:
    shutdown, policies = facts.config.shutdown, partial(resolve, facts.config)
    forecast = SaveForecast(
        facts.saves,
        facts.room,
        shutdown.save_reserve,
        shutdowns=facts.shutdowns,
        parallel=shutdown.parallel,
    )
    return plan_down(RunKind.PRESERVE, facts.guests, policies, named, forecast)


def with_deadline(facts: HostFacts, seconds: float | None) -> HostFacts:
    """The facts where a preserve may take so long in all; as they are for None."""
    if seconds is None:
        return facts
    shutdown = replace(facts.config.shutdown, deadline=seconds)
    return replace(facts, config=replace(facts.config, shutdown=shutdown))


def with_profile(facts: HostFacts, profile: str | None) -> HostFacts:
    """The facts under this profile; under none with the usual settings."""
    return replace(facts, config=under(facts.config, profile))


def timeline_of(facts: HostFacts, named: Collection[GuestId] | None = None) -> Timeline:
    """A preserve in time.  named: of these guests alone."""
    plan, shutdown = _plan_down(facts), facts.config.shutdown
    guests = tuple(p for p in plan.guests if named is None or p.guest.id in named)
    order = sequence_for(facts.config, (p.guest for p in guests if p.outcome is None))
    return timeline_down(
        replace(plan, guests=guests),
        shutdown.parallel,
        Budget(shutdown.deadline),
        order,
        shutdowns=shutdown.parallel_shutdowns,
    )


def boot_timeline_of(facts: HostFacts, rows: Iterable[Row]) -> Timeline:
    """The next boot in time, as far as these guests are concerned: it has them all to itself."""
    does = {row.id: row.next_boot for row in rows}
    coming = [guest for guest in facts.guests if does.get(guest.id) in _STEPS]
    forecast = StartForecast(facts.starts, {guest.id: guest.memory for guest in facts.guests})

    def planned(guest: GuestFacts) -> GuestPlan:
        timeout = resolve(facts.config, guest).boot.start_timeout
        return GuestPlan(guest, (StepPlan(_STEPS[does[guest.id]], timeout),))

    ordered = sorted(coming, key=lambda guest: (guest.name, guest.id))
    plan = Plan(RunKind.RESTORE, tuple(map(planned, ordered)))
    return restore_in_time(plan, facts.config, forecast)


_STEPS: Mapping[NextBoot | None, Step] = {
    NextBoot.RESUME: Step.RESUME,
    NextBoot.START: Step.START,
}


def rows_of(facts: HostFacts) -> list[Row]:
    """Every guest that is known of, with what the next boot does."""
    records: dict[GuestId, GuestRecord] = {record.id: record for record in facts.records}
    policies, now = partial(resolve, facts.config), Instant(facts.at, facts.boot, facts.up)
    down = {plan.guest.id: plan for plan in plan_of(facts).guests}
    owned = facts.owns_next_boot
    rows = overview.rows(facts.guests, records, policies, now, owned=owned, down=down)
    lost = [connection.uri for connection in facts.lost]
    seen = {guest.id for guest in facts.guests}
    unseen = [record for record in facts.records if record.id not in seen]
    mine = [record for record in facts.records if record.id.uri in facts.uris]
    not_listed = overview.not_listed(missing(facts.guests, mine, lost))
    known = [*rows, *overview.unreadable(unseen, lost), *not_listed]
    return overview.in_order(known if facts.sees_all else map(overview.unknown, known))
