"""Which settings a profile leaves in force, guest by guest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import (
    GUEST_PROFILE_SETTINGS,
    PROFILE_SETTINGS,
    General,
    Setting,
    Shutdown,
)
from guestctl.decisions.policy import resolve
from guestctl.decisions.profiles import (
    depends_on_stop,
    names,
    of_stop,
    own_deadline,
    under,
    why_unknown,
)
from guestctl.model.guest import DomainInfo, OwnSetting
from guestctl.model.options import Scope
from tests.unit.makers import guest

DB, WEB = guest("db", 1), guest("web", 2)


def of_guests(*overrides: GuestOverride, **profiles: dict[str, Any]) -> Config:
    return Config(guests=overrides, profiles=profiles)


def test_a_profile_goes_over_the_usual_settings() -> None:
    config = of_guests(ups={"deadline": 180.0, "save": Scope.NONE})
    assert under(config, "ups").shutdown == Shutdown(deadline=180.0, save=Scope.NONE)


def test_a_guests_own_settings_go_over_it_and_its_own_profile_over_these() -> None:
    own = GuestOverride("db", {"shutdown_timeout": 20.0}, {"ups": {"shutdown_timeout": 30.0}})
    config = of_guests(own, ups={"shutdown_timeout": 10.0}, reboot={"shutdown_timeout": 15.0})

    def timeouts(profile: str | None) -> tuple[float, float]:
        found = under(config, profile)
        db, web = (resolve(found, one).shutdown.shutdown_timeout for one in (DB, WEB))
        return db, web

    assert timeouts(None) == (20.0, 90.0)
    assert timeouts("reboot") == (20.0, 15.0)
    assert timeouts("ups") == (30.0, 10.0)


OF_XML = DomainInfo(
    policy=(
        OwnSetting("shutdown-timeout", "40s"),
        OwnSetting("profile.ups.shutdown-timeout", "50s"),
    )
)


@pytest.mark.parametrize(
    ("config", "profile", "timeout"),
    [
        (Config(), None, 40.0),
        (Config(), "ups", 40.0),
        (of_guests(ups={}), "ups", 50.0),
        (of_guests(ups={}), "reboot", 40.0),
        (of_guests(ups={"shutdown_timeout": 10.0}), "ups", 50.0),
        (of_guests(GuestOverride("db", {"shutdown_timeout": 20.0}), ups={}), "ups", 20.0),
        (of_guests(GuestOverride("db", {}, {"ups": {"shutdown_timeout": 30.0}})), "ups", 30.0),
        (of_guests(GuestOverride("web", {}, {"ups": {"shutdown_timeout": 30.0}})), "ups", 50.0),
        (replace(of_guests(ups={}), general=General(metadata=False)), "ups", 90.0),
    ],
)
def test_what_a_guests_xml_has_for_a_profile(
    config: Config, profile: str | None, timeout: float
) -> None:
    """Under every [[guest]], and in profiles that the configuration has."""
    db = replace(DB, info=OF_XML)
    assert resolve(under(config, profile), db).shutdown.shutdown_timeout == timeout


def test_a_guests_profile_goes_over_later_tables_for_every_way_down() -> None:
    config = of_guests(
        GuestOverride("*", {}, {"ups": {"save": Scope.NONE}}),
        GuestOverride("db", {"save": Scope.ALL}),
    )
    assert resolve(under(config, "ups"), DB).shutdown.save is Scope.NONE
    assert resolve(under(config, None), DB).shutdown.save is Scope.ALL


def test_of_two_profiles_of_a_guest_the_later_one_wins_setting_by_setting() -> None:
    config = of_guests(
        GuestOverride("*", {}, {"ups": {"save": Scope.NONE, "save_timeout": 5.0}}),
        GuestOverride("db", {}, {"ups": {"save": Scope.ALL}}),
    )
    shutdown = resolve(under(config, "ups"), DB).shutdown
    assert (shutdown.save, shutdown.save_timeout) == (Scope.ALL, 5.0)


def test_what_a_guests_profile_says_counts_as_told_for_it() -> None:
    """As for a guest of another manager, which is saved where its own table says so."""
    config = of_guests(GuestOverride("db", {}, {"reboot": {"save": Scope.PERSISTENT}}))
    assert "save" in resolve(under(config, "reboot"), DB).told
    assert "save" not in resolve(under(config, "poweroff"), DB).told


_profile = st.sampled_from(["reboot", "poweroff", "ups"])


def _profiles(rows: Sequence[Setting]) -> st.SearchStrategy[dict[str, Any]]:
    defaults = {row.name: st.just(row.default) for row in rows}
    return st.dictionaries(_profile, st.fixed_dictionaries({}, optional=defaults))


_some, _of_guest = _profiles(PROFILE_SETTINGS), _profiles(GUEST_PROFILE_SETTINGS)
_overrides = st.lists(
    st.builds(GuestOverride, st.sampled_from(["db", "web", "*"]), st.just({}), _of_guest)
)


@given(_some, _overrides, _profile | st.none())
def test_nobody_after_it_has_to_know_of_profiles(
    profiles: dict[str, Any], overrides: list[GuestOverride], name: str | None
) -> None:
    found = under(Config(guests=tuple(overrides), profiles=profiles), name)
    assert names(found) == ()
    assert under(found, name) == found
    assert found.guests[: len(overrides)] == tuple(
        GuestOverride(o.match, o.values) for o in overrides
    )


@given(_some, _overrides)
def test_without_a_profile_all_is_as_usual(
    profiles: dict[str, Any], overrides: list[GuestOverride]
) -> None:
    config = Config(guests=tuple(overrides), profiles=profiles)
    usual = Config(guests=tuple(GuestOverride(o.match, o.values) for o in overrides))
    assert under(config, None) == under(config, "no such profile") == usual


@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        ("reboot", "reboot"),
        ("kexec", "reboot"),
        ("soft-reboot", "reboot"),
        ("poweroff", "poweroff"),
        ("halt", "poweroff"),
        ("", None),
        ("exit", None),
    ],
)
def test_the_profile_of_a_stop(kind: str, profile: str | None) -> None:
    assert of_stop(kind) == profile


def test_whether_it_matters_how_the_host_goes_down() -> None:
    assert not depends_on_stop(of_guests(ups={"deadline": 60.0}))
    assert depends_on_stop(of_guests(reboot={}))
    assert depends_on_stop(of_guests(GuestOverride("db", {}, {"poweroff": {}})))


def test_a_name_that_no_table_has() -> None:
    config = of_guests(GuestOverride("db", {}, {"night": {}}), ups={})
    assert names(config) == ("ups", "night")
    assert why_unknown(config, "ups") == why_unknown(config, "night") == ""
    assert why_unknown(config, "reboot") == why_unknown(Config(), "poweroff") == ""
    text = 'there is no profile "{}" in the configuration, which has: {}'
    assert why_unknown(config, "zzz") == text.format("zzz", "ups, night")
    assert why_unknown(config, "upz") == text.format("upz", 'ups, night; did you mean "ups"?')
    assert why_unknown(Config(), "halt") == text.format("halt", 'none; halt counts as "poweroff"')


def test_the_deadline_of_a_profile_itself() -> None:
    config = of_guests(ups={"deadline": 60.0}, night={})
    assert own_deadline(config, "ups") == 60.0
    assert own_deadline(config, "night") is own_deadline(config, None) is None
