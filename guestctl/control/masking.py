"""Facts without what a host's owner may not want to show: the same plans of other names.  Pure.

Guests are numbered in the order in which plans have them, so that they stay in it.  A [[guest]]
of the configuration becomes one for each guest that it matches.  Times, sizes and states stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ..config.config import Config, GuestOverride, Profiles
from ..config.kinds import to_text
from ..config.own import PREFIX, OwnSettings, read_own
from ..config.settings import GUEST_SETTINGS, LISTS_OF_GUESTS
from ..decisions.host_facts import HostFacts, LostConnection
from ..decisions.policy import is_called, matches
from ..model.guest import Disk, DiskKind, DomainInfo, GuestFacts, GuestId, OwnSetting, State
from ..model.options import PROFILES_OF_HOST
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..model.uris import DEFAULT


def masked(facts: HostFacts) -> HostFacts:
    """The facts with no name, UUID, path, address or free text of the host's."""
    return _Mask(facts).of_facts()


class _Words:
    """One word for each text, numbered in the order in which they turn up."""

    def __init__(self, pattern: str) -> None:
        """pattern: with {} for the number."""
        self._pattern = pattern
        self._given: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Empty texts say that there is none, and stay."""
        number = len(self._given) + 1
        return text and self._given.setdefault(text, self._pattern.format(number))


#: URIs that are the same on every host.
_USUAL_URI = re.compile(r"[a-z]+(\+[a-z]+)?:///(system|session|default)?")
#: What there is around or in names, paths and addresses that a text tells.
_TELLING = re.compile(r"""[/'"`@\\]|\w[.:]\w""")


class _Mask:
    def __init__(self, facts: HostFacts) -> None:
        self._facts = facts
        self._called = _names(facts)
        self._names = _numbered(self._called)
        called = [GuestFacts(*guest, State.UNKNOWN) for guest in self._called.items()]
        self._named = [(guest, self._names[guest.id]) for guest in called]
        self._secrets = {text for text in _secrets(facts) if text}
        self._tells: dict[str, bool] = {}
        self._uuids = _Words("00000000-0000-4000-8000-{:012}")
        self._connections, self._boots = _Words("connection-{}"), _Words("boot-{}")
        self._disks, self._digests = _Words("disk-{}"), _Words("digest-{}")
        self._holds, self._reasons = _Words("hold-{}"), _Words("reason-{}")
        self._profiles, self._sheds = _Words("profile-{}"), _Words("shed-{}")

    def of_facts(self) -> HostFacts:
        facts = self._facts
        return replace(
            facts,
            boot=self._boots(facts.boot),
            uris=tuple(map(self._uri, facts.uris)),
            config=self._config(),
            lost=tuple(map(self._lost, facts.lost)),
            room={self._uri(uri): free for uri, free in facts.room.items()},
            guests=tuple(map(self._guest, facts.guests)),
            records=tuple(map(self._record, facts.records)),
            saves=tuple(map(self._save, facts.saves)),
            shutdowns=tuple(replace(one, guest=self._id(one.guest)) for one in facts.shutdowns),
            starts=tuple(replace(one, guest=self._id(one.guest)) for one in facts.starts),
        )

    # What guests are known by

    def _id(self, guest: GuestId) -> GuestId:
        return GuestId(self._uri(guest.uri), self._uuids(guest.uuid))

    def _uri(self, uri: str) -> str:
        if uri == DEFAULT or _USUAL_URI.fullmatch(uri):
            return uri
        driver = re.match(r"(qemu|lxc|xen|ch|bhyve|vz|test):", uri.replace("+unix:", ":"))
        return f"{driver[1] if driver else 'other'}:///{self._connections(uri)}"

    def _text(self, text: str) -> str:
        """What libvirt said, as a whole; as it is only where nothing in it can be the host's."""
        if text not in self._tells:
            known = any(secret in text for secret in self._secrets)
            self._tells[text] = known or bool(_TELLING.search(text))
        return self._reasons(text) if self._tells[text] else text

    # What is said of them

    def _lost(self, lost: LostConnection) -> LostConnection:
        return replace(lost, uri=self._uri(lost.uri), reason=self._text(lost.reason))

    def _guest(self, guest: GuestFacts) -> GuestFacts:
        info = self._info(guest.info)
        return replace(guest, id=self._id(guest.id), name=self._names[guest.id], info=info)

    def _info(self, info: DomainInfo) -> DomainInfo:
        own = read_own(info.policy)
        return replace(
            info,
            unsavable=tuple(map(self._text, info.unsavable)),
            manager=info.manager and self._text(info.manager),
            disks=None if info.disks is None else tuple(map(self._disk, info.disks)),
            digest=self._digests(info.digest),
            policy=self._policy(own),
            policy_faults=tuple(map(self._reasons, (*info.policy_faults, *own.problems))),
        )

    def _policy(self, own: OwnSettings) -> tuple[OwnSetting, ...]:
        """What counts of it; what does not may hold anything."""
        found = list(_as_own("", _masked(own.values, self._named)))
        for name, values in self._with_other_names(own.profiles).items():
            found += _as_own(f"{PREFIX}{name}.", values)
        return tuple(found)

    def _disk(self, disk: Disk) -> Disk:
        return replace(disk, name=_FOLDERS[disk.kind] + self._disks(disk.name))

    def _record(self, record: GuestRecord) -> GuestRecord:
        # A person's words are the person's; what guestctl says of a save tells why.
        word = self._text if record.held_for_save else self._holds
        return replace(
            record,
            id=self._id(record.id),
            name=self._names[record.id],
            up_boot=record.up_boot and self._boots(record.up_boot),
            stopped_boot=record.stopped_boot and self._boots(record.stopped_boot),
            settling=record.settling and self._boots(record.settling),
            unready=record.unready and self._text(record.unready),
            waits_for=record.waits_for and self._text(record.waits_for),
            waits_in=record.waits_in and self._boots(record.waits_in),
            as_of=record.as_of and self._boots(record.as_of),
            hold=record.hold and word(record.hold),
            shed=record.shed and self._sheds(record.shed),
            shed_boot=record.shed_boot and self._boots(record.shed_boot),
        )

    def _save(self, save: SaveRecord) -> SaveRecord:
        return replace(
            save,
            guest=self._id(save.guest),
            digest=self._digests(save.digest),
            refusal=save.refusal and self._text(save.refusal),
        )

    # The configuration

    def _config(self) -> Config:
        config = self._facts.config
        general = replace(config.general, uris=tuple(map(self._uri, config.general.uris)))
        named = self._named
        guests = (one for override in config.guests for one in _for_each(override, named))
        masked = tuple(self._override(one, named) for one in guests)
        order = replace(config.order, **_masked(vars(config.order), named))
        profiles = self._with_other_names(config.profiles)
        return replace(config, general=general, guests=masked, order=order, profiles=profiles)

    def _override(
        self, override: GuestOverride, named: Iterable[tuple[GuestFacts, str]]
    ) -> GuestOverride:
        values, profiles = override.values, override.profiles
        return replace(
            override,
            values=_masked(values, named),
            profiles=self._with_other_names(profiles),
        )

    def _with_other_names(self, profiles: Profiles) -> Profiles:
        """Those of the host's stops keep theirs."""
        return {
            name if name in PROFILES_OF_HOST else self._profiles(name): values
            for name, values in profiles.items()
        }


def _as_own(prefix: str, values: Mapping[str, Any]) -> Iterator[OwnSetting]:
    for row in GUEST_SETTINGS:
        if row.name in values:
            yield OwnSetting(prefix + row.guest_key, to_text(row.kind, values[row.name]))


_FOLDERS = {DiskKind.FILE: "/", DiskKind.BLOCK: "/dev/", DiskKind.OTHER: ""}


def _for_each(
    override: GuestOverride, named: Iterable[tuple[GuestFacts, str]]
) -> Iterator[GuestOverride]:
    """The same for each guest that it matches, by the name that it has from now on."""
    for guest, name in named:
        if matches(override, guest):
            yield replace(override, match=name)


def _masked(values: Mapping[str, Any], named: Iterable[tuple[GuestFacts, str]]) -> dict[str, Any]:
    """Settings, with those guests in lists of guests that there are, by their names from now on."""
    return {
        name: tuple(new for guest, new in named if any(map(partial(is_called, guest), value)))
        if name in LISTS_OF_GUESTS
        else value
        for name, value in values.items()
    }


def _names(facts: HostFacts) -> dict[GuestId, str]:
    """What guests are called; what the ledger calls them, where they are not seen."""
    recorded = {record.id: record.name for record in facts.records}
    return recorded | {guest.id: guest.name for guest in facts.guests}


def _numbered(names: Mapping[GuestId, str]) -> dict[GuestId, str]:
    """Names of one length that sort as those of before did."""
    ordered = sorted(names, key=lambda guest: (names[guest], guest))
    width = len(str(len(ordered)))
    return {guest: f"guest-{number:0{width}}" for number, guest in enumerate(ordered, 1)}


def _secrets(facts: HostFacts) -> Iterator[str]:
    """Texts of the host's own that may turn up in others."""
    for record in facts.records:
        yield from (record.name, record.id.uuid)
    for guest in facts.guests:
        yield from (guest.name, guest.id.uuid)
        yield from (disk.name for disk in guest.info.disks or ())
