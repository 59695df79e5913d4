"""Changing the settings that a guest's own XML gives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..config.own import PREFIX, read_own, texts_of
from ..config.own_change import Wishes
from ..config.reading import Reading
from ..config.settings import LISTS_OF_GUESTS
from ..decisions.policy import is_called
from ..decisions.profiles import names
from ..decisions.sequence import mistakes_of, sequence_for
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, OwnSetting
from ..model.policy_change import PolicyChange
from ..model.ports import ErrorKind, HypervisorError
from ..model.units import BadValue
from ..runs.context import Inventory
from .asked import note_of
from .guest_reading import read_named
from .guest_settings import GuestSettings, with_places
from .local import Local
from .log_fields import of_actor, of_guest
from .policy_wishes import refused, wishes_of
from .replies import ChangedPolicy, ChangedSetting
from .requests import Failure, PolicyRequest, RequestError

logger = logging.getLogger(__name__)


def change_policy(found: Reading, request: PolicyRequest, local: Local) -> ChangedPolicy:
    """Have all of it written, or nothing.  RequestError where that is not to be, or failed.

    What is there already is written all the same: it may be so in libvirt's memory alone, or in
    the definition and not in the running guest.
    """
    wishes = wishes_of(request)
    local.refuse_to_act()
    guest, before = read_named(request.guest, local)
    change = _change(wishes, guest)
    error = _write(local, guest, change)
    after = asyncio.run(local.read(domain_info=True))
    now = next((one for one in after.guests if one.id == guest.id), None)
    changes = _changes(guest, now)
    is_booked = not changes or _book(local, guest, changes, request.reason)
    if error or now is None or not _has(now, change):
        raise _failed(guest, now, change, error)
    remarks = (*_not_there(wishes, guest), *_remarks(found, now, change, before, after))
    return ChangedPolicy(with_places(found, now), changes, remarks, is_booked)


# Before anything is written


def _change(wishes: Wishes, guest: GuestFacts) -> PolicyChange:
    try:
        return wishes.change(guest.info.policy)
    except BadValue as error:
        raise refused(guest.name, str(error)) from error


def _not_there(wishes: Wishes, guest: GuestFacts) -> tuple[str, ...]:
    if guest.info.policy_faults:
        return ()
    return tuple(f"{key} is not set there" for key in wishes.not_there(guest.info.policy))


# Writing


def _write(local: Local, guest: GuestFacts, change: PolicyChange) -> HypervisorError | None:
    """How libvirt failed; what is then true, its XML says.  RequestError where it was not asked."""
    try:
        refusal = local.change_policy(guest.id, change)
    except HypervisorError as error:
        return error
    if refusal:
        raise refused(guest.name, f"{refusal}; `--unset all` takes all of it away")
    return None


def _changes(guest: GuestFacts, now: GuestFacts | None) -> tuple[ChangedSetting, ...]:
    if now is None:
        return ()
    before, after = texts_of(guest.info.policy), texts_of(now.info.policy)
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return tuple(ChangedSetting(key, after.get(key), before.get(key)) for key in keys)


def _has(now: GuestFacts, change: PolicyChange) -> bool:
    own, given = texts_of(now.info.policy), dict(change.given)
    left = {key for key in own if change.takes(key)}
    return left <= given.keys() and all(own.get(key) == given[key] for key in given)


def _failed(
    guest: GuestFacts,
    now: GuestFacts | None,
    change: PolicyChange,
    error: HypervisorError | None,
) -> RequestError:
    kind = error.kind if error else ErrorKind.FAILED
    cause = error or "something else is there now, by somebody who changed it at the same time"
    text = (
        f"cannot change the settings of {guest.name}: {cause}; {_truth(guest, now, change, kind)}"
    )
    return RequestError(_FAILURES.get(kind, Failure.NOT_ALL_WELL), text)


_FAILURES = {
    ErrorKind.NOT_PERMITTED: Failure.NOT_PERMITTED,
    ErrorKind.UNREACHABLE: Failure.NO_HYPERVISOR,
}


def _truth(guest: GuestFacts, now: GuestFacts | None, change: PolicyChange, kind: ErrorKind) -> str:
    """What the definition has after a failure.

    libvirt writes the running guest's, then changes the definition, and then writes that to disk
    (src/conf/domain_conf.c, virDomainObjSetMetadata): it shows what a full disk did not take.
    """
    if now is None or now.info.disks is None:
        return "what its definition has now could not be read: `guestctl policy` shows it"
    if _has(now, change):
        return "its definition has it, but maybe not on disk: give the same command once more"
    if not _changes(guest, now):
        late = ", and may become otherwise yet" if kind is ErrorKind.NO_ANSWER else ""
        return f"its definition is as it was{late}"
    return f"its definition has otherwise: {_listed(_changes(guest, now))}"


def _book(
    local: Local, guest: GuestFacts, changes: Sequence[ChangedSetting], reason: str | None
) -> bool:
    """In the guest's trail, and in the journal; False, and said, where the ledger has no room."""
    actor, text = local.actor, f"its own settings: {_listed(changes)}"
    with local.journal():
        about = of_guest(guest.name, guest.id) | of_actor(actor)
        logger.info(f"{guest.name}: {text} ({actor})", extra=about)

    def write(ledger: Ledger) -> None:
        ledger.trail.add(guest.id, *note_of(actor, reason))
        ledger.trail.add(guest.id, "guestctl:policy", text)

    try:
        local.write_ledger(write)
    except RequestError as error:
        local.complain(f"the settings are changed, but `why` will not know of it: {error}")
        return False
    return True


def _listed(changes: Iterable[ChangedSetting]) -> str:
    return "; ".join(map(str, changes))


# Once it is written


def _remarks(
    found: Reading, now: GuestFacts, change: PolicyChange, before: Inventory, after: Inventory
) -> Iterator[str]:
    """Why what was written does not do what may be expected of it."""
    if not found.config.general.metadata:
        place = found.origins.get(("", "metadata"))
        yield f"{place}: metadata = false: settings in the guests' own XML count for nothing"
        return
    yield from _overridden(with_places(found, now), change.given)
    yield from _of_unknown_profiles(found, change.given)
    if not after.lost:
        yield from _meeting_nobody(now, change.given, after.guests)
    known = set(_mistakes(found, before))
    yield from (text for text in _mistakes(found, after) if text not in known)


def _overridden(settings: GuestSettings, given: Sequence[OwnSetting]) -> Iterator[str]:
    entries = {entry.key: entry for entry in settings.entries}
    for profile, differing in settings.profiles.items():
        entries |= {f"{PREFIX}{profile}.{entry.key}": entry for entry in differing}
    for entry, key in ((entries[key], key) for key, _ in given if key in entries):
        if not (entry.place and entry.place.guest):
            yield f"{key}: what {entry.place} says goes over it: {entry.value}"


def _of_unknown_profiles(found: Reading, given: Sequence[OwnSetting]) -> Iterator[str]:
    profiles = read_own(tuple(given)).profiles
    for name in profiles.keys() - set(names(found.config)):
        text = "it counts for nothing here until the configuration has one, if without settings"
        yield f"{PREFIX}{name}: no table is called [profile.{name}]: {text}"


def _meeting_nobody(
    guest: GuestFacts, given: Sequence[OwnSetting], guests: Iterable[GuestFacts]
) -> Iterator[str]:
    others = [one for one in guests if one.id != guest.id]
    values: Mapping[str, tuple[str, ...]] = read_own(tuple(given)).values
    for name in LISTS_OF_GUESTS.intersection(values):
        for word in values[name]:
            if not any(is_called(one, word) for one in others):
                yield f'{name}: no other guest is called "{word}": that orders nothing'


def _mistakes(found: Reading, inventory: Inventory) -> Iterator[str]:
    sequence = sequence_for(found.config, inventory.guests)
    return (text for _, text in mistakes_of(sequence, inventory.guests))
