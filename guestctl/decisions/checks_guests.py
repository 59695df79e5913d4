"""Checks of how guests would be taken down: saved, shut down, or neither.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..config.config import Config
from ..model.finding import Finding, Severity
from ..model.guest import GuestFacts
from ..model.host_state import known
from ..model.plan import GuestPlan, Step
from ..model.text import argument
from ..model.units import show_size
from .check import AtTakeover, Check
from .coming import names, of_connection
from .findings import Of, of_guests
from .forecast import without_room
from .host_facts import HostFacts, mistakes_in_order, plan_of
from .host_state import HostState
from .plan import belongs_to
from .policy import in_scope, resolve


def _no_way(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    for plan in plan_of(facts).guests:
        reason = _why_not_saved(facts.config, plan)
        if reason and not plan.steps:
            text = (
                f"is lost as the host goes down: it cannot be saved ({reason}), and policy allows"
            )
            yield _of_guest(plan.guest, f"{text} nothing else")


def _why_not_saved(config: Config, plan: GuestPlan) -> str:
    """Why a guest that is up and that policy would have saved is not to be; "" for all others."""
    if not plan.guest.up or not in_scope(resolve(config, plan.guest).shutdown.save, plan.guest):
        return ""
    return dict(plan.left_out).get(Step.SAVE, "")


def _of_guest(guest: GuestFacts, text: str) -> Finding:
    return Finding(text, f"guestctl plan {argument(guest.name)}", guest.name, guest.id)


def _room(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    found = [it for it in of_guests(facts, ()) if it.check == Of.NO_ROOM and it.guest]
    seen = {it.guest.uri: _seen_of_room(facts, it.guest.uri) for it in found if it.guest}
    yield from (replace(it, evidence=seen[it.guest.uri]) for it in found if it.guest)


def _seen_of_room(facts: HostFacts, uri: str) -> tuple[str, str]:
    plans = [plan for plan in plan_of(facts).guests if plan.guest.id.uri == uri]
    needed = sum(p.guest.memory for p in plans if p.saves or without_room(p))
    free, reserve = facts.room.get(uri, 0), facts.config.shutdown.save_reserve
    return (
        f"memory of the guests of {uri} that would be saved: {show_size(needed)}",
        f"free where saves go: {show_size(free)}, of which save-reserve keeps {show_size(reserve)}",
    )


def _unsavable(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    for plan in plan_of(facts).guests:
        reason = _why_not_saved(facts.config, plan)
        is_others = belongs_to(plan.guest, resolve(facts.config, plan.guest))
        if reason and plan.steps and not (is_others or without_room(plan)):
            how = f"is not saved as the host goes down, but {_DONE[plan.steps[0].step]}"
            yield _of_guest(plan.guest, f"{how}: {reason}")


_DONE = {Step.SHUTDOWN: "shut down", Step.POWEROFF: "powered off"}


def _transient(state: HostState) -> Iterator[Finding]:
    guests = [it for it in known(state.facts).guests if it.up and not it.persistent]
    if guests:
        text = f"guests have no definition, and nobody brings them back: {names(guests)}"
        yield Finding(text, evidence=("libvirt says that they are transient",))


def _others(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    for uri in facts.uris:
        owners: dict[str, list[GuestFacts]] = {}
        for guest in of_connection(facts, uri):
            if owner := belongs_to(guest, resolve(facts.config, guest)):
                owners.setdefault(owner, []).append(guest)
        for owner, guests in sorted(owners.items()):
            text = f"{owner} starts these guests of {uri}, and guestctl does not: {names(guests)}"
            yield Finding(text, evidence=("by their metadata, or by managed-elsewhere",))


def _order(state: HostState) -> Iterator[Finding]:
    yield from map(
        partial(Finding, command="guestctl check"), mistakes_in_order(known(state.facts))
    )


CHECKS = (
    Check(
        "no-way-down",
        Severity.ERROR,
        "a guest that cannot be saved may be shut down, or powered off",
        "As the host goes down nothing can be done for it: it is killed with the host.",
        "Allow `shutdown` or `poweroff` for it, or mend what keeps it from being saved.",
        _no_way,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        Of.NO_ROOM,
        Severity.WARNING,
        "there is room for the saves of all guests at once",
        "The guests that find none are shut down instead, and boot anew.",
        'Make room where saves go, or give guests `save = "none"` that can do with a shutdown.',
        _room,
    ),
    Check(
        "not-saved",
        Severity.NOTE,
        "guests that are to be saved can be",
        "The guest is shut down instead, and boots anew.",
        "Nothing has to be done; take what cannot be saved out of its definition, or give it"
        ' `save = "none"`.',
        _unsavable,
    ),
    Check(
        "transient",
        Severity.NOTE,
        "guests that are up have a definition",
        "libvirt forgets them as they go down: they are neither saved nor started again.",
        "Nothing has to be done where another program made them; else define them.",
        _transient,
    ),
    Check(
        "others-guests",
        Severity.NOTE,
        "guests are guestctl's to start",
        "guestctl takes them down, and leaves starting them to the other program.",
        "Nothing has to be done.",
        _others,
    ),
    Check(
        "order",
        Severity.WARNING,
        "the order of guests makes sense",
        "Guests that wait for one another in a circle come up and go down as if one of them did not"
        " wait.",
        "Take one of the waits out of the configuration, or the guests' metadata.",
        _order,
    ),
)
