"""Mistakes in guests' metadata, as verbs that show guests tell them."""

from __future__ import annotations

from ..control.facts import HostFacts, mistakes_in_metadata
from .exits import complain


def complain_of_metadata(facts: HostFacts) -> None:
    """Each counts as not given, and ends nothing."""
    for guest, mistake in mistakes_in_metadata(facts):
        complain(f"the metadata of {guest.name}: {mistake}: it counts as not given")
