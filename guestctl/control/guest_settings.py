"""What the configuration says of guests that there are: each one's settings, tables for nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import files
from ..config.config import Config
from ..config.effective import Entry, Table, guest_table
from ..config.problems import Notice, Place, Problem, in_metadata
from ..config.reading import Places, Reading
from ..config.settings import GUEST_PROFILE_SETTINGS, GUEST_SETTINGS, Setting
from ..decisions.policy import matches, own_problems, own_settings, unmatched
from ..decisions.profiles import names
from ..decisions.sequence import mistakes_of, sequence_for
from ..model.guest import GuestFacts
from .requests import Named, find


@dataclass(frozen=True)
class GuestSettings:
    """All settings of one guest, each as TOML with the place that set it.

    guest: one that there is; with an empty UUID what a guest of this name would have.
    profiles: by name, what differs in each.  problems: what counts as not given of its metadata.
    """

    guest: GuestFacts
    entries: tuple[Entry, ...]
    profiles: Mapping[str, tuple[Entry, ...]]
    problems: tuple[str, ...] = ()

    @property
    def tables(self) -> Iterator[Table]:
        """As a [[guest]] that is for it alone, and its profiles."""
        name = self.guest.name
        yield guest_table(name, self.entries)
        for profile, entries in self.profiles.items():
            yield Table(f"guest.profile.{profile}", entries, match=name)


def with_remarks(found: Reading, guests: Collection[GuestFacts]) -> Reading:
    """The reading with what there is to say of guests that there are: a [[guest]] that is for none
    of them, mistakes in their metadata and in their order."""
    numbers = unmatched(found.config, guests)
    unused = [_for_nobody(found.guest_origins[number].match, number + 1) for number in numbers]
    problems = (*found.problems, *_order_problems(found, guests))
    notices = (*found.notices, *unused, *_of_metadata(found.config, guests))
    return replace(found, notices=notices, problems=problems)


def _of_metadata(config: Config, guests: Iterable[GuestFacts]) -> Iterator[Notice]:
    for guest in guests:
        for problem in own_problems(config, guest):
            yield Notice(in_metadata(guest.name), "", problem)


def _order_problems(found: Reading, guests: Collection[GuestFacts]) -> Iterator[Problem]:
    by_id = {guest.id: guest for guest in guests}
    for whose, text in mistakes_of(sequence_for(found.config, guests), guests):
        yield Problem(_place_of_order(found, by_id[whose]), "", text)


def _place_of_order(found: Reading, guest: GuestFacts) -> Place:
    entries = [_entry(found, row, guest) for row in GUEST_SETTINGS if row.name in _ORDER]
    return next((entry.place for entry in entries if entry.place), Place(files.MAIN_FILE))


#: The settings that a mistake in the order can stand in, the likeliest first.
_ORDER = ("after", "requires", "order")


def _for_nobody(place: Place, number: int) -> Notice:
    return Notice(place, f"guest[{number}].match", "matches no guest that there is")


def with_places(found: Reading, guest: GuestFacts) -> GuestSettings:
    """All settings of the guest, and what set each."""
    entries = tuple(_entry(found, row, guest) for row in GUEST_SETTINGS)
    profiles = {profile: _differing(found, guest, profile) for profile in names(found.config)}
    of_guest = {profile: entries for profile, entries in profiles.items() if entries}
    return GuestSettings(guest, entries, of_guest, own_problems(found.config, guest))


def settings_among(found: Reading, guests: Collection[GuestFacts], name: str) -> GuestSettings:
    """Those of the guest of this name or UUID.  RequestError where none is called so."""
    known = {guest.id: guest for guest in guests}
    (chosen,) = find([name], [Named(guest.id, guest.name) for guest in known.values()])
    return with_places(found, known[chosen])


def _differing(found: Reading, guest: GuestFacts, profile: str) -> tuple[Entry, ...]:
    """What is set elsewhere in the profile than without it."""
    pairs = (
        (_entry(found, row, guest), _entry(found, row, guest, profile))
        for row in GUEST_PROFILE_SETTINGS
    )
    return tuple(in_it for usual, in_it in pairs if in_it != usual)


def _entry(found: Reading, row: Setting, guest: GuestFacts, profile: str = "") -> Entry:
    """The section's value, and over it those of what is for the guest, as decisions have it."""
    value = getattr(found.config.sections[row.section], row.name)
    place = found.origins.get((row.section, row.name))
    for values, places in _over(found, guest, profile):
        if row.name in values:
            value, place = values[row.name], places[row.name]
    return Entry(row.guest_key, row.kind.show(value), place)


def _over(
    found: Reading, guest: GuestFacts, profile: str
) -> Iterator[tuple[Mapping[str, Any], Places]]:
    """What each table sets that is for the guest, in this profile unless it is ""."""
    pairs = zip(found.config.guests, found.guest_origins, strict=True)
    own = [pair for pair in pairs if matches(pair[0], guest)]
    if profile in found.config.profiles:
        yield found.config.profiles[profile], found.profile_origins[profile]
    given = own_settings(found.config, guest)
    for values in (given.values, given.profiles.get(profile, {})):
        yield values, dict.fromkeys(values, in_metadata(guest.name))
    for override, origin in own:
        yield override.values, origin.values
    for override, origin in own:
        if profile in override.profiles:
            yield override.profiles[profile], origin.profiles[profile]
