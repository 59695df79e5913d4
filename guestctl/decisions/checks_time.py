"""The check of whether there is time for all that guests should have.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.guest import GuestId
from ..model.host_state import known
from ..model.no_time import why_not
from ..model.options import PROFILES_OF_HOST
from ..model.plan import Basis
from ..model.text import names
from ..model.timeline import TimedGuest
from ..model.units import show_duration
from .check import Check
from .host_facts import HostFacts, timeline_of, with_profile
from .host_state import HostState

#: Of so many guests it is shown why.
_MOST = 10
_USUAL = ""


def _no_time(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    for profile in (_USUAL, *(it for it in PROFILES_OF_HOST if it in facts.config.profiles)):
        yield from _of_profile(with_profile(facts, profile or None), profile)


def _of_profile(facts: HostFacts, profile: str) -> Iterator[Finding]:
    """Of guests of which it is known how long they take: what others took is no reason to worry."""
    timed = timeline_of(facts).guests
    if short := [guest for guest in timed if not guest.fits and _is_known(guest)]:
        called = {guest.id: guest.name for guest in facts.guests}
        whom = names([called[guest.guest] for guest in short])
        deadline = show_duration(facts.config.shutdown.deadline)
        text = f"there is no time for all that guests should have, within {deadline}: {whom}"
        command = f"guestctl plan --profile {profile}" if profile else "guestctl plan"
        yield Finding(text, command, evidence=tuple(_seen(short, called)))


def _is_known(guest: TimedGuest) -> bool:
    """Whether its first step was seen to take so long, if it was made before."""
    return guest.steps[0].estimate.basis is Basis.OWN


def _seen(short: list[TimedGuest], called: dict[GuestId, str]) -> Iterator[str]:
    for guest in short[:_MOST]:
        yield f"{called[guest.guest]}: {'; '.join(why_not(guest, called))}"


CHECKS = (
    Check(
        "no-time",
        Severity.WARNING,
        "there is time for guests' saves and shutdowns, their order, and so many at a time",
        "Going by earlier runs, what is left out is made up for by the next step, and what guests"
        " should wait for is given up: all are taken down, but not as configured.",
        "A longer `deadline` of [shutdown] or of the profile, a longer `save-timeout` or"
        " `shutdown-timeout`, or more at a time: `parallel`, `parallel-shutdowns`.",
        _no_time,
    ),
)
