"""Facts and policies to a plan: which guests, which steps, why.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from ..model.guest import GuestFacts, GuestId, State
from ..model.options import SaveDecision
from ..model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from ..model.record import GuestRecord, Wanted
from .forecast import NO_FORECAST, SaveForecast, share_room, share_storage
from .policy import Policy, in_scope
from .wanted import desired_at_boot, has_unknown_save, why_unknown_save

Policies = Callable[[GuestFacts], Policy]

#: libvirt sends SIGTERM, then SIGKILL after 10 s to 15 s, and waits for the kernel to tidy up.
POWEROFF_TIMEOUT = 60.0
LEFT = "an earlier run for this stop of the host has done all that it may"
STATE_UNKNOWN = "its state could not be read"
NOT_LISTED = (
    "libvirt does not list it: its definition is not there, or was refused; it stays wanted on"
    " until `guestctl forget`"
)


def plan_down(
    kind: RunKind,
    guests: Iterable[GuestFacts],
    policies: Policies,
    named: Collection[GuestId] | None = None,
    forecast: SaveForecast = NO_FORECAST,
    left: Collection[GuestId] = (),
) -> Plan:
    """What a preserve (or a shutdown, which never saves) does to these guests.

    named: only these; without it all that are up.  left: those for which an earlier run for the
    same stop of the host has done all that it may.
    """
    plans = [
        GuestPlan(guest, outcome=Outcome.FAILED, reason=LEFT)
        if guest.id in left and guest.up
        else plan_guest_down(kind, guest, policies(guest), forecast)
        for guest in sorted(guests, key=lambda g: (g.name, g.id))
        if (guest.id in named if named is not None else not guest.down)
    ]
    return Plan(kind, share_storage(share_room(plans, forecast), forecast))


def plan_guest_down(
    kind: RunKind, guest: GuestFacts, policy: Policy, forecast: SaveForecast = NO_FORECAST
) -> GuestPlan:
    """The steps for one guest, and the reason for each that is left out."""
    if guest.state is State.UNKNOWN:
        return GuestPlan(guest, outcome=Outcome.UNKNOWN, reason=STATE_UNKNOWN)
    if guest.down:
        return GuestPlan(guest, outcome=Outcome.SKIPPED, reason="it is not running")
    timeouts = {
        Step.SAVE: policy.shutdown.save_timeout,
        Step.SHUTDOWN: policy.shutdown.shutdown_timeout,
        Step.POWEROFF: POWEROFF_TIMEOUT,
    }
    reasons = {step: _why_not(kind, step, guest, policy, forecast) for step in timeouts}
    # Those of saves: once it is known how many share the storage.
    estimates = {Step.SHUTDOWN: forecast.shutdown_estimate(guest)}
    steps = tuple(
        StepPlan(step, timeouts[step], *(estimates.get(step) or ()))
        for step in timeouts
        if not reasons[step]
    )
    left_out = tuple((step, reason) for step, reason in reasons.items() if reason)
    if not steps:
        return GuestPlan(guest, (), left_out, Outcome.SKIPPED, "policy allows no step")
    return GuestPlan(guest, steps, left_out, notes=tuple(_notes(guest, steps)))


def _notes(guest: GuestFacts, steps: Iterable[StepPlan]) -> Iterator[str]:
    if guest.starting:
        yield "libvirt is still starting it: if that does not end soon, its plug is pulled"
    if guest.info.restarts and any(planned.step is Step.SHUTDOWN for planned in steps):
        yield "it would start anew when it powers off (on_poweroff), and is kept from that"


def _why_not(
    kind: RunKind, step: Step, guest: GuestFacts, policy: Policy, forecast: SaveForecast
) -> str:
    """Why a step is not for this guest; empty when it is."""
    if step is Step.SAVE:
        return _why_no_save(kind, guest, policy) or forecast.refusal(guest)
    scope = policy.shutdown.shutdown if step is Step.SHUTDOWN else policy.shutdown.poweroff
    if not in_scope(scope, guest):
        return f'policy has {step} = "{scope}"'
    if step is Step.SHUTDOWN and guest.state is State.CRASHED:
        return "it has crashed and cannot hear a request"
    return ""


def _why_no_save(kind: RunKind, guest: GuestFacts, policy: Policy) -> str:
    if kind is RunKind.SHUTDOWN:
        return "it is to be shut down"
    if not guest.persistent:
        return "it is transient, and libvirt saves persistent guests only"
    if not in_scope(policy.shutdown.save, guest):
        return f'policy has save = "{policy.shutdown.save}"'
    if guest.state is State.CRASHED:
        return "it has crashed: a save would bring the crash back"
    owner = belongs_to(guest, policy)
    if owner and "save" not in policy.told:
        return f"{owner} starts it, and may boot it anew"
    return "; ".join(guest.info.unsavable)


def plan_restore(
    guests: Iterable[GuestFacts],
    records: Mapping[GuestId, GuestRecord],
    policies: Policies,
    boot: str,
    named: Collection[GuestId] | None = None,
    decision: SaveDecision | None = None,
    autostart: Collection[str] = (),
) -> Plan:
    """What a restore does: named guests, or every guest that is wanted on and not up.

    decision: what a person decided about the saves of the guests named.
    autostart: connections whose autostart flags are ours to follow.
    """
    ordered = sorted(guests, key=lambda g: (g.name, g.id))
    if named is not None:
        chosen = [g for g in ordered if g.id in named]
        plans = [_plan_start(g, records.get(g.id), policies(g), decision) for g in chosen]
        return Plan(RunKind.RESTORE, tuple(plans))
    plans = []
    for guest in ordered:
        flagged = guest.autostart and guest.id.uri in autostart
        record = records.get(guest.id)
        policy = policies(guest)
        desired = desired_at_boot(
            record, guest, boot, autostart=flagged, action=policy.user_shutdown.action
        )
        if not guest.started and desired.wanted is Wanted.ON:
            plans.append(_plan_wanted(guest, record, policy, flagged))
    return Plan(RunKind.RESTORE, tuple(plans))


def plan_missing(
    guests: Iterable[GuestFacts], records: Iterable[GuestRecord], lost: Collection[str]
) -> tuple[GuestPlan, ...]:
    """Guests that are wanted on and that libvirt does not list, though it could be asked.

    Their definitions may come back: on a file system that is mounted late, with a newer libvirt.
    """
    return tuple(
        GuestPlan(
            GuestFacts(record.id, record.name, State.UNKNOWN),
            outcome=Outcome.GONE,
            reason=NOT_LISTED,
        )
        for record in missing(guests, records, lost)
    )


def plan_unknown_saves(
    guests: Iterable[GuestFacts], records: Mapping[GuestId, GuestRecord], policies: Policies
) -> tuple[GuestPlan, ...]:
    """Guests that somebody saved, and of which nothing is known: the ledger may have been lost."""
    unknown = (guest for guest in guests if has_unknown_save(guest, records.get(guest.id)))
    return tuple(
        GuestPlan(guest, outcome=Outcome.HELD, reason=why_unknown_save(guest))
        for guest in sorted(unknown, key=lambda guest: (guest.name, guest.id))
        if policies(guest).boot.restore and not belongs_to(guest, policies(guest))
    )


def missing(
    guests: Iterable[GuestFacts], records: Iterable[GuestRecord], lost: Collection[str]
) -> list[GuestRecord]:
    """Who is wanted on and not among these guests; lost: connections that could not be read."""
    listed = {guest.id for guest in guests}
    wanted = [record for record in records if record.wanted is Wanted.ON]
    return [it for it in wanted if it.id not in listed and it.id.uri not in lost]


def belongs_to(guest: GuestFacts, policy: Policy) -> str:
    """The program that starts the guest in our place; empty where guestctl does."""
    return guest.info.manager or ("another program" if policy.boot.managed_elsewhere else "")


def _plan_wanted(
    guest: GuestFacts, record: GuestRecord | None, policy: Policy, flagged: bool
) -> GuestPlan:
    """flagged: libvirt's autostart, which is ours to do, would start it whatever policy says."""
    if not (policy.boot.restore or flagged):
        return GuestPlan(guest, outcome=Outcome.SKIPPED, reason="policy has restore = false")
    return _plan_start(guest, record, policy)


def _plan_start(
    guest: GuestFacts,
    record: GuestRecord | None,
    policy: Policy,
    decision: SaveDecision | None = None,
) -> GuestPlan:
    if guest.started:
        return GuestPlan(guest, outcome=Outcome.SKIPPED, reason="it is already up")
    if guest.state is State.UNKNOWN:
        return GuestPlan(guest, outcome=Outcome.UNKNOWN, reason=STATE_UNKNOWN)
    if owner := belongs_to(guest, policy):
        return GuestPlan(guest, outcome=Outcome.SKIPPED, reason=f"{owner} starts it, not guestctl")
    if record and record.hold is not None and not (decision and record.held_for_save):
        return GuestPlan(guest, outcome=Outcome.HELD, reason=record.hold)
    step = Step.RESUME if guest.saved and decision is not SaveDecision.DISCARD_SAVE else Step.START
    return GuestPlan(guest, (StepPlan(step, policy.boot.start_timeout),))
