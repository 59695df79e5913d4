"""Who is shed, and who is not though they are named: facts, records and settings.  Pure.

A guest that is shed goes down while its host stays up, and comes back by `guestctl resume`: who
could not be brought back by that is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..config.config import Config
from ..model.guest import GuestFacts, GuestId
from ..model.plan import GuestPlan, Outcome, Plan, Step
from ..model.record import GuestRecord
from ..model.text import argument
from .attempts import in_the_air
from .plan import belongs_to
from .policy import resolve
from .sequence import sequence_for

Records = Mapping[GuestId, GuestRecord]

NOBODY_NUMBERED = (
    "cannot tell who is to be shed: no guest that is up has an `order`; name guests, or say"
    " --order N or --profile NAME"
)
ALREADY = "it is shed already"
_TRANSIENT = "it is transient: libvirt forgets it, and it could not be brought back"


class Whom(NamedTuple):
    """Who is meant where no guest is named: by number, by profile, or else the highest number."""

    order: int | None = None
    profile: str | None = None


def chosen(whom: Whom, guests: Iterable[GuestFacts], config: Config) -> frozenset[GuestId]:
    """Of these guests, which were read with their XML, those that are to be shed.

    config: under the profile.  Nobody where nobody has a number, or nobody the profile's `shed`.
    """
    known = tuple(guests)
    policies = {guest.id: resolve(config, guest) for guest in known}
    if whom.profile is not None and whom.order is None:
        return frozenset(guest for guest, policy in policies.items() if policy.shutdown.shed)
    numbers = {
        guest: policy.order.order
        for guest, policy in policies.items()
        if policy.order.order is not None
    }
    least = max(numbers.values(), default=0) if whom.order is None else whom.order
    return frozenset(guest for guest, number in numbers.items() if number >= least)


def shed_now(records: Records, boot: str) -> frozenset[GuestId]:
    """Those that are shed."""
    return frozenset(it for it, record in records.items() if record.still_shed(boot) is not None)


def as_shed(
    plan: Plan, guests: Collection[GuestFacts], records: Records, config: Config, boot: str
) -> Plan:
    """The plan of a preserve as that of guests that are shed, with who stays up without them."""
    made = [_as_shed(one, records.get(one.guest.id), config, boot) for one in plan.guests]
    going = {one.guest.id for one in made if one.outcome is None}
    missed = _missed(guests, going, config)
    return replace(plan, guests=tuple(_with_note(one, missed) for one in made))


def _as_shed(plan: GuestPlan, record: GuestRecord | None, config: Config, boot: str) -> GuestPlan:
    if plan.guest.down and record is not None and record.still_shed(boot) is not None:
        return replace(plan, reason=ALREADY)
    why = _why_not(plan.guest, record, config) if plan.outcome is None else ""
    return replace(plan, steps=(), outcome=Outcome.SKIPPED, reason=why) if why else plan


def _why_not(guest: GuestFacts, record: GuestRecord | None, config: Config) -> str:
    """Why `guestctl resume` could not bring it back; empty where it could."""
    if not guest.persistent:
        return _TRANSIENT
    if owner := belongs_to(guest, resolve(config, guest)):
        return f"{owner} starts it, not guestctl"
    if record is not None and record.hold is not None:
        release = f"guestctl release {argument(guest.name)}"
        return f"it could not be brought back as long as it is held ({release}): {record.hold}"
    return ""


def _missed(
    guests: Iterable[GuestFacts], going: Collection[GuestId], config: Config
) -> dict[GuestId, list[str]]:
    """Of those that go: names of guests that require them, and stay up."""
    up = [guest for guest in guests if not guest.down]
    sequence = sequence_for(config, up)
    missed: dict[GuestId, list[str]] = {}
    for guest in up if going else ():
        if guest.id not in going:
            for other in sequence.required(guest.id) & set(going):
                missed.setdefault(other, []).append(guest.name)
    return missed


def _with_note(plan: GuestPlan, missed: Mapping[GuestId, list[str]]) -> GuestPlan:
    those = missed.get(plan.guest.id)
    if not those:
        return plan
    note = f"required by {', '.join(sorted(those))}, which stays up"
    return replace(plan, notes=(*plan.notes, note))


class ToResume(NamedTuple):
    """going: up, and may still go down by this step of a run that was cut off.  up: up for good,
    though that run was to shed them."""

    going: Mapping[GuestId, Step]
    up: frozenset[GuestId]


def still_up(guests: Iterable[GuestFacts], records: Records, boot: str) -> ToResume:
    """Those of whom a run that was cut off had only begun."""
    shed = shed_now(records, boot)
    up = [guest for guest in guests if guest.id in shed and guest.started and not guest.saving]
    begun = {guest.id: in_the_air(records[guest.id].attempts) for guest in up}
    going = {guest: step for guest, step in begun.items() if step is not None}
    return ToResume(going, frozenset(begun) - frozenset(going))
