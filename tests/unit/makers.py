"""Guests, knowledge and policies for tests, by example and at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from guestctl.config.settings import Boot, Shutdown
from guestctl.decisions.policy import Policy
from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.options import Method, Scope
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.stop import StoppedBy

URI = "qemu:///system"
BOOT = "boot-now"
EARLIER_BOOT = "boot-before"

#: What libvirt's Python binding can hand over, and what a ledger can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def guest_id(number: int = 1, uri: str = URI) -> GuestId:
    """The identity of the guest with that number."""
    return GuestId(uri, f"{number:08d}-aaaa-4000-8000-000000000000")


def guest(name: str = "web", number: int = 1, **differs: Any) -> GuestFacts:
    """A running persistent guest, but for what differs."""
    facts = {"id": guest_id(number), "state": State.RUNNING, "reason": "booted", **differs}
    return GuestFacts(name=name, **facts)


def off(name: str = "web", number: int = 1, **differs: Any) -> GuestFacts:
    """A guest that is shut off, but for what differs."""
    return guest(name, number, **{"state": State.SHUT_OFF, "reason": "shutdown", **differs})


def recorded(number: int = 1, name: str = "web", **differs: Any) -> GuestRecord:
    """What the ledger says of a guest that was up in this boot, but for what differs."""
    says = {"wanted": Wanted.ON, "up_boot": BOOT, **differs}
    return GuestRecord(guest_id(number), name, **says)


def policy(boot: Boot | None = None, **shutdown: Any) -> Policy:
    """The default policy, but for these settings."""
    return Policy(Shutdown(**shutdown), boot or Boot())


def always(chosen: Policy) -> Callable[[GuestFacts], Policy]:
    """The same policy for every guest."""
    return lambda _guest: chosen


def _consistent(facts: dict[str, Any]) -> GuestFacts:
    # libvirt keeps neither flag nor save for a transient guest.
    if not facts["persistent"]:
        facts |= {"autostart": False, "saved": False}
    return GuestFacts(**facts)


guests = st.fixed_dictionaries(
    {
        "id": st.integers(1, 5).map(guest_id),
        "name": texts,
        "state": st.sampled_from(State),
        "reason": st.sampled_from(["unknown", "shutdown", "destroyed", "crashed", "migrated"]),
        "persistent": st.booleans(),
        "autostart": st.booleans(),
        "saved": st.booleans(),
    }
).map(_consistent)

policies = st.builds(
    Policy,
    shutdown=st.builds(
        Shutdown,
        save=st.sampled_from([Scope.ALL, Scope.PERSISTENT, Scope.NONE]),
        shutdown=st.sampled_from(Scope),
        poweroff=st.sampled_from(Scope),
        methods=st.permutations(list(Method)).map(tuple),
    ),
    boot=st.builds(Boot, restore=st.booleans()),
)


def records_of(facts: GuestFacts) -> st.SearchStrategy[GuestRecord | None]:
    """Whatever a ledger may say of this guest."""
    return st.none() | st.builds(
        GuestRecord,
        id=st.just(facts.id),
        name=st.just(facts.name),
        wanted=st.none() | st.sampled_from(Wanted),
        stopped_by=st.none() | st.sampled_from(StoppedBy),
        stopped_at=st.none() | st.integers(0, 2**62),
        up_boot=st.sampled_from([None, BOOT, EARLIER_BOOT]),
        taken_down=st.booleans(),
        hold=st.none() | texts,
    )


guests_and_records = guests.flatmap(lambda facts: st.tuples(st.just(facts), records_of(facts)))
