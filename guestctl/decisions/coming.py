"""Which guests the next boot brings back, for checks of what it needs.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.guest import GuestFacts
from ..model.host_state import NotKnown, NotSeen, known
from ..model.overview import NextBoot
from .host_facts import HostFacts, rows_of
from .host_state import HostState

#: So many guests are named, or other things of which there can be hundreds.
MOST_NAMED = 8
_COMING = (NextBoot.RESUME, NextBoot.START)


def coming(state: HostState) -> list[GuestFacts]:
    """Those of which the next boot resumes a save, or which it starts.

    Raises NotSeen where it is not known what is wanted of them.
    """
    facts = known(state.facts)
    if not facts.sees_all:
        reason = "the ledger cannot be read" if facts.may_see else "the ledger is root's"
        raise NotSeen(NotKnown("what is wanted of guests", reason, refused=not facts.may_see))
    ids = {row.id for row in rows_of(facts) if row.next_boot in _COMING}
    return [guest for guest in facts.guests if guest.id in ids]


def names(guests: Iterable[GuestFacts]) -> str:
    """Their names, in order; of many of them some."""
    return shortened(sorted(guest.name for guest in guests))


def shortened(words: Iterable[str]) -> str:
    """All of them in a row; of many some, and how many more there are."""
    each = list(words)
    more = [f"{len(each) - MOST_NAMED} more"] if len(each) > MOST_NAMED else []
    return ", ".join([*each[:MOST_NAMED], *more])


def of_connection(facts: HostFacts, uri: str) -> list[GuestFacts]:
    """Its guests."""
    return [guest for guest in facts.guests if guest.id.uri == uri]
