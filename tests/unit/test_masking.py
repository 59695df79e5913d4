"""Masked facts: nothing of the host's is left in them, and the plans are the same."""

from __future__ import annotations

import shlex
from typing import Any

from hypothesis import given

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Order
from guestctl.control.facts_text import from_text, to_text
from guestctl.control.masking import masked
from guestctl.decisions.host_facts import HostFacts, LostConnection, plan_of, rows_of
from guestctl.model.guest import Disk, DiskKind, DomainInfo
from guestctl.model.options import Scope
from guestctl.model.overview import Row
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.facts_values import MARK, host_facts
from tests.unit.makers import BOOT, EARLIER_BOOT, URI, guest, guest_id, recorded


def plan_without_names(facts: HostFacts) -> list[Any]:
    """What a preserve does, in its order."""
    return [
        (plan.guest.state, plan.steps, [step for step, _ in plan.left_out], plan.outcome)
        for plan in plan_of(facts).guests
    ]


def boot_without_names(facts: HostFacts) -> list[Any]:
    """What the next boot does, in its order; reasons can have words of libvirt's."""
    return [(row.state, row.wanted, row.next_boot, _without_name(row)) for row in rows_of(facts)]


def _without_name(row: Row) -> str:
    return row.why_wanted.replace(f"guestctl start {shlex.quote(row.name)}", "guestctl start GUEST")


@given(host_facts)
def test_nothing_of_the_hosts_is_left(facts: HostFacts) -> None:
    text = to_text(masked(facts))
    assert MARK not in text
    assert f"\\U{ord(MARK):08x}" not in text
    assert BOOT not in text
    assert EARLIER_BOOT not in text


@given(host_facts)
def test_the_plans_are_the_same_but_for_names(facts: HostFacts) -> None:
    again = from_text(to_text(masked(facts)))
    assert plan_without_names(again) == plan_without_names(facts)
    assert boot_without_names(again) == boot_without_names(facts)


@given(host_facts)
def test_guests_stay_as_many_and_one_guest_stays_one(facts: HostFacts) -> None:
    found = masked(facts)
    new = dict(zip((g.id for g in facts.guests), (g.id for g in found.guests), strict=True))
    assert len(set(new.values())) == len(new)
    for before, after in zip(facts.records, found.records, strict=True):
        assert new.get(before.id, after.id) == after.id
    assert len(found.room) == len(facts.room)


def of_guests(*guests: Any, **differs: Any) -> HostFacts:
    """The facts of a host with these guests."""
    return HostFacts(BOOT, 0, (URI,), False, True, guests=guests, **{"config": Config(), **differs})


def test_a_pattern_becomes_the_guests_that_it_matches() -> None:
    none, all_ = {"save": Scope.NONE}, {"save": Scope.ALL}
    patterns = (
        GuestOverride("db-*", none),
        GuestOverride(guest_id(3).uuid.upper(), none),
        GuestOverride("db-2", all_),
        GuestOverride("nobody", none),
    )
    seen = [guest("web", 3), guest("db-1", 1), guest("db-2", 2)]
    found = masked(of_guests(*seen, config=Config(guests=patterns)))
    assert [guest.name for guest in found.guests] == ["guest-3", "guest-1", "guest-2"]
    assert [(one.match, one.values) for one in found.config.guests] == [
        ("guest-1", none),
        ("guest-2", none),
        ("guest-3", none),
        ("guest-2", all_),
    ]


def test_names_stay_in_order_also_where_they_are_many() -> None:
    found = masked(of_guests(*(guest(f"g{n:02}", n) for n in range(12))))
    names = [guest.name for guest in found.guests]
    assert names == sorted(names)
    assert names[0] == "guest-01"


def test_what_is_the_same_stays_the_same() -> None:
    disks = (Disk(DiskKind.FILE, "/a"), Disk(DiskKind.BLOCK, "/dev/b"), Disk(DiskKind.OTHER, "c"))
    info = DomainInfo(disks=disks, digest="ab")
    facts = of_guests(
        guest("web", 1, info=info),
        guest("db", 2, info=info),
        records=(
            recorded(1, "web", hold="for Ann", shed="Ann said so", shed_boot=BOOT),
            recorded(2, "db", hold="its save is gone", held_for_save=True),
        ),
        saves=(SaveRecord(guest_id(1), 1, "ab", 1.0, SaveState.FAILED, "no"),),
    )
    found = masked(facts)
    names = ("/disk-1", "/dev/disk-2", "disk-3")
    assert [[d.name for d in g.info.disks or ()] for g in found.guests] == [[*names], [*names]]
    assert {g.info.digest for g in found.guests} == {found.saves[0].digest} == {"digest-1"}
    assert found.saves[0].guest == found.guests[0].id == found.records[0].id
    assert [record.up_boot for record in found.records] == [found.boot, found.boot]
    assert [record.hold for record in found.records] == ["hold-1", "its save is gone"]
    assert (found.records[0].shed, found.records[0].shed_boot) == ("shed-1", found.boot)


def test_texts_that_tell_nothing_of_the_host_stay() -> None:
    said = (
        "it has a host device",
        "its CPU is set to migratable off",
        "no file /srv/x",
        "see h.example",
    )
    found = masked(of_guests(guest("web", info=DomainInfo(said, "OpenStack Nova"))))
    assert found.guests[0].info.unsavable == (*said[:2], "reason-1", "reason-2")
    assert found.guests[0].info.manager == "OpenStack Nova"


def test_a_text_with_the_name_of_a_guest_goes_also_where_it_is_not_quoted() -> None:
    refusals = ("domain web is busy", "domain db is busy", "the device is busy")
    saves = (
        SaveRecord(guest_id(), 1, "ab", 1.0, SaveState.FAILED, refusal) for refusal in refusals
    )
    seen = of_guests(guest("web"), records=(recorded(2, "db"),), saves=tuple(saves))
    assert [save.refusal for save in masked(seen).saves] == ["reason-1", "reason-2", refusals[2]]


def test_addresses_of_connections_go() -> None:
    uris = (URI, "qemu+ssh://ann@host.example/system", "qemu+unix:///session?socket=/home/ann/s")
    lost = tuple(LostConnection(uri, f"cannot connect to {uri}") for uri in uris)
    found = masked(HostFacts(BOOT, 0, uris, False, True, Config(), lost))
    assert found.uris == (URI, "other:///connection-1", "qemu:///connection-2")
    assert [one.uri for one in found.lost] == list(found.uris)
    assert [one.reason for one in found.lost] == ["reason-1", "reason-2", "reason-3"]


def test_lists_of_guests_name_those_that_there_are() -> None:
    wishes = (GuestOverride("web", {"after": ("db-*", "nobody"), "requires": ("db-2",)}),)
    seen = [guest("web", 3), guest("db-1", 1), guest("db-2", 2)]
    config = Config(guests=wishes, order=Order(after=("web",)))
    found = masked(of_guests(*seen, config=config)).config
    assert found.guests[0].values == {"after": ("guest-1", "guest-2"), "requires": ("guest-2",)}
    assert found.order.after == ("guest-3",)
