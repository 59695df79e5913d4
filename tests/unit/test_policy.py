"""Which settings hold for which guest."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Boot, Shutdown
from guestctl.decisions.policy import Policy, in_scope, matches, resolve
from guestctl.model.options import Scope
from tests.unit.makers import guest, guest_id, guests, texts

UUID = guest_id(1).uuid

MATCHES = [
    ("web", "web", True),
    ("web", "web2", False),
    ("Web", "web", False),
    ("db-*", "db-1", True),
    ("db-*", "db-", True),
    ("db-*", "my-db-1", False),
    ("db-?", "db-10", False),
    ("db-[12]", "db-2", True),
    ("db-[12]", "db-3", False),
    ("db-[!12]", "db-3", True),
    ("*", "anything at\nall", True),
    ("db[1]", "db[1]", True),
    ("db[1]", "db1", True),
    ("a*b", "a*b", True),
    ("[", "[", True),
    ("[z-a]", "z", False),
    ("", "", True),
    (UUID, "web", True),
    (UUID.upper(), "web", True),
    (guest_id(2).uuid, "web", False),
    (UUID[:8] + "*", "web", False),
    ("*", UUID, True),
]


@pytest.mark.parametrize(("pattern", "name", "expected"), MATCHES)
def test_matching(pattern: str, name: str, expected: bool) -> None:
    assert matches(GuestOverride(pattern, {}), guest(name)) is expected


def test_a_uuid_matches_however_libvirt_writes_it() -> None:
    shouting = guest(id=guest_id(1)._replace(uuid=UUID.upper()))
    assert matches(GuestOverride(UUID, {}), shouting)


@given(texts, guests)
def test_any_name_matches_itself_and_any_pattern_is_answered(pattern: str, facts: object) -> None:
    assert matches(GuestOverride(pattern, {}), guest(pattern))
    assert matches(GuestOverride(pattern, {}), guest("other")) in (True, False)


@given(texts)
def test_a_name_can_be_escaped_as_in_a_shell(name: str) -> None:
    escaped = "".join(f"[{c}]" if c in "*?[" else c for c in name)
    assert matches(GuestOverride(escaped, {}), guest(name))
    assert fnmatch.fnmatchcase(name, escaped)


def test_what_guests_are_told_is_known() -> None:
    tables = (GuestOverride("w*", {"save": Scope.ALL}), GuestOverride("db", {"retries": 1}))
    assert resolve(Config(guests=tables), guest()).told == {"save"}


def test_without_tables_the_sections_hold() -> None:
    config = Config(shutdown=Shutdown(save_timeout=5), boot=Boot(retries=9))
    assert resolve(config, guest()) == Policy(Shutdown(save_timeout=5), Boot(retries=9))


def test_the_later_of_several_matching_tables_wins_key_by_key() -> None:
    config = Config(
        shutdown=Shutdown(save=Scope.NONE),
        guests=(
            GuestOverride("*", {"poweroff": Scope.NONE, "retries": 1, "save_timeout": 11.0}),
            GuestOverride("db", {"retries": 2}),
            GuestOverride("mail", {"retries": 99}),
            GuestOverride(UUID, {"save_timeout": 22.0, "start_delay": 3.0}),
        ),
    )
    assert resolve(config, guest("db")) == Policy(
        Shutdown(save=Scope.NONE, poweroff=Scope.NONE, save_timeout=22.0),
        Boot(retries=2, start_delay=3.0),
    )


def test_the_order_of_the_tables_counts_and_not_how_exact_they_are() -> None:
    tables = (GuestOverride("db", {"retries": 1}), GuestOverride("*", {"retries": 2}))
    assert resolve(Config(guests=tables), guest("db")).boot.retries == 2


@given(guests, st.lists(st.sampled_from(["web", "x*", UUID]), max_size=3))
def test_tables_without_values_change_nothing(facts: object, patterns: list[str]) -> None:
    tables = tuple(GuestOverride(pattern, {}) for pattern in patterns)
    assert resolve(Config(guests=tables), guest()) == Policy(Shutdown(), Boot())


@pytest.mark.parametrize(
    ("scope", "persistent", "transient"),
    [
        (Scope.ALL, True, True),
        (Scope.PERSISTENT, True, False),
        (Scope.TRANSIENT, False, True),
        (Scope.NONE, False, False),
    ],
)
def test_scopes(scope: Scope, persistent: bool, transient: bool) -> None:
    assert in_scope(scope, guest()) is persistent
    assert in_scope(scope, guest(persistent=False)) is transient
