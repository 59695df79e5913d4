"""What the next boot does with a guest, were the host to go down now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.config import Config
from guestctl.config.settings import Boot
from guestctl.decisions.host_facts import HostFacts, rows_of
from guestctl.decisions.overview import next_boot
from guestctl.decisions.wanted import JUST_TURNED_OFF
from guestctl.model.guest import DomainInfo, GuestFacts
from guestctl.model.options import Scope
from guestctl.model.overview import NextBoot
from guestctl.model.record import GuestRecord, Wanted, begins_to_settle
from guestctl.model.stop import StoppedBy
from tests.ledgers import instant
from tests.unit.makers import (
    BOOT,
    EARLIER_BOOT,
    URI,
    guest,
    guests_and_records,
    off,
    policy,
    recorded,
)

OFF = Wanted.OFF
NOW = 1_000 * 10**9
by_host = recorded(taken_down=True, stopped_by=StoppedBy.HOST, up_boot=None)
by_user = recorded(wanted=OFF, stopped_by=StoppedBy.USER)


def next_boot_of(
    record: GuestRecord | None,
    facts: GuestFacts,
    *,
    restore: bool = True,
    saves: bool = True,
    owned: bool = False,
) -> NextBoot:
    """Under a policy that brings guests back or not, and saves them or not."""
    chosen = policy(Boot(restore=restore), save=Scope.PERSISTENT if saves else Scope.NONE)
    return next_boot(record, facts, chosen, instant(NOW), owned=owned).does


STAY, HELD = NextBoot.STAY_DOWN, NextBoot.HELD
RESUME, START = NextBoot.RESUME, NextBoot.START

NEXT: list[tuple[GuestFacts, GuestRecord | None, bool, bool, NextBoot]] = [
    # facts, known, policy brings it back, policy saves it
    (guest(), None, True, True, RESUME),
    (guest(), None, True, False, START),
    (guest(), None, False, True, STAY),
    (guest(autostart=True), None, False, True, RESUME),
    (guest(persistent=False), None, True, True, STAY),
    (guest(), recorded(hold="disk"), True, True, HELD),
    (guest(), recorded(hold=""), True, True, HELD),
    (off(), by_host, True, True, START),
    (off(saved=True), by_host, True, False, RESUME),
    (off(saved=True), by_host, False, True, STAY),
    (off(saved=True), by_user, True, True, STAY),
    (off(), by_user, True, True, STAY),
    (off(autostart=True), by_user, True, True, START),
    (off(autostart=True, saved=True), None, True, True, RESUME),
    (off(), None, True, True, STAY),
    (off(), recorded(wanted=OFF, hold="disk"), True, True, HELD),
    (off(persistent=False), recorded(hold="disk"), True, True, STAY),
]


@pytest.mark.parametrize(("facts", "record", "restore", "saves", "expected"), NEXT)
def test_the_next_boot(
    facts: GuestFacts, record: GuestRecord | None, restore: bool, saves: bool, expected: NextBoot
) -> None:
    found = next_boot_of(record, facts, restore=restore, saves=saves)
    assert found is expected


OWNED: list[tuple[GuestFacts, GuestRecord | None, NextBoot]] = [
    (off(autostart=True), None, START),
    (off(autostart=True, saved=True), None, RESUME),
    (off(autostart=True), by_user, STAY),
    (off(autostart=True), by_host, START),
    (off(autostart=True), recorded(hold="disk"), HELD),
    (off(), None, STAY),
    (off(), by_host, STAY),
    (guest(), None, STAY),
]


@pytest.mark.parametrize(("facts", "record", "expected"), OWNED)
def test_an_autostart_flag_is_followed_whatever_policy_says(
    facts: GuestFacts, record: GuestRecord | None, expected: NextBoot
) -> None:
    found = next_boot_of(record, facts, restore=False, owned=True)
    assert found is expected


@pytest.mark.parametrize(("facts", "record", "expected"), OWNED[:-2])
def test_the_next_boot_where_guestctl_owns_autostart(
    facts: GuestFacts, record: GuestRecord | None, expected: NextBoot
) -> None:
    assert next_boot_of(record, facts, owned=True) is expected


@given(guests_and_records, st.booleans(), st.booleans(), st.booleans())
def test_a_held_or_transient_guest_does_not_come_back(
    pair: tuple[GuestFacts, GuestRecord | None], restore: bool, saves: bool, owned: bool
) -> None:
    facts, record = pair
    found = next_boot_of(record, facts, restore=restore, saves=saves, owned=owned)
    if not facts.persistent:
        assert found is STAY
    elif facts.autostart and not owned:
        assert found in (START, RESUME)  # libvirt knows nothing of holds
    elif record is not None and record.hold is not None:
        assert found is HELD
    else:
        assert found is not HELD


def settling(seconds_ago: float, boot: str = BOOT) -> GuestRecord:
    """Its user turned it off so long ago."""
    at = NOW - round(seconds_ago * 1e9)
    by = StoppedBy.USER
    stopped = recorded(wanted=OFF, stopped_by=by, stopped_boot=BOOT, stopped_up=at, up_boot=None)
    return begins_to_settle(stopped, boot)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (settling(10), START),  # a host that goes down now explains its stop
        (settling(1000), STAY),  # nobody was there to say that it has settled
        (settling(10, EARLIER_BOOT), START),  # the power went just after
    ],
)
def test_a_stop_that_has_not_settled_yet(record: GuestRecord, expected: NextBoot) -> None:
    assert next_boot_of(record, off()) is expected


def test_libvirt_starts_a_held_guest_whose_autostart_is_its_own() -> None:
    record = recorded(hold="disk")
    assert next_boot_of(record, off(autostart=True), owned=False) is START
    assert next_boot_of(record, off(autostart=True), owned=True) is HELD


# Why


def why(record: GuestRecord | None, facts: GuestFacts, **differs: bool) -> str:
    """Under the default policy, but for what differs."""
    chosen = policy(Boot(restore=differs.get("restore", True)))
    return next_boot(record, facts, chosen, instant(NOW), owned=True).reason


def test_the_reason_is_that_of_what_is_done_and_not_of_what_is_wanted() -> None:
    assert why(recorded(hold="its disk changed"), guest()) == "its disk changed"
    assert why(recorded(taken_down=True, hold="no"), off(saved=True)) == "no"
    assert why(None, guest(), restore=False) == "policy has restore = false"
    assert why(by_host, off(), restore=False) == "policy has restore = false"
    nova = guest(info=DomainInfo(manager="OpenStack Nova"))
    assert why(None, nova) == "OpenStack Nova starts it, not guestctl"
    assert why(None, guest()) == "it is running"
    assert why(by_host, off(saved=True)) == "a run took it down for the host's sake"
    assert why(by_user, off()) == "it was turned off on purpose"
    assert why(None, off(autostart=True)) == "libvirt's autostart flag is set"
    assert why(None, guest(persistent=False)).startswith("it is transient")


def test_a_stop_that_settles_comes_back_for_that_reason() -> None:
    record = settling(1)
    assert next_boot_of(record, off()) is START
    assert why(record, off()) == JUST_TURNED_OFF


def test_a_guest_without_room_for_its_save_is_started_and_not_resumed() -> None:
    """`plan` knew, `plan --boot` and `list` said "resume"."""
    big = guest(memory=8 * 2**30, info=DomainInfo(digest="x"))
    facts = HostFacts(
        BOOT, NOW, (URI,), True, True, Config(), room={URI: 2**30}, guests=(big, guest("small", 2))
    )
    small, found = rows_of(facts)
    assert (found.next_boot, small.next_boot) == (START, RESUME)
    assert found.reason.startswith("it is running; no save: no room: it can take 8GiB")
    assert found.why_wanted == "it is running"


def test_a_hold_is_the_reason_also_where_policy_says_no() -> None:
    chosen = policy(Boot(restore=False))
    found = next_boot(recorded(hold="its disk"), off(), chosen, instant(NOW), owned=False)
    assert found == (HELD, "its disk")
