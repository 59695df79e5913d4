"""The service and the way in which the host goes down, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.model.guest import OwnSetting
from guestctl.model.options import Scope

from .served import AB, guest
from .sim.behaviour import IGNORED_BUTTON, Button, Image, Save
from .sim.service import ServedHost, tell

#: Saved usually and as the host powers off; a reboot has the guests shut down.
REBOOT = {"reboot": {"save": Scope.NONE}}
SLOW = [guest("a", save=Save(20.0)), guest("b", save=Save(20.0))]


def asked(host: ServedHost) -> bool:
    return bool(host.calls("request_shutdown acpi", "request_shutdown agent"))


@pytest.mark.parametrize(
    ("kind", "shut_down"),
    [
        *(("reboot", True), ("kexec", True), ("soft-reboot", True)),
        *(("poweroff", False), ("halt", False), ("", False)),
    ],
)
@pytest.mark.parametrize("told_by", ["logind", "systemd", "guard"])
def test_ways_down_are_told_apart(told_by: str, kind: str, shut_down: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.kind = kind
        if told_by == "logind":
            host.announce(kind)
            await host.until_idle()
        if told_by == "guard":
            host.kill()
        await host.stop_units()
        assert host.up == ""
        assert (asked(host), bool(host.calls("save"))) == (shut_down, not shut_down)
        assert host.said("it is not known in which way: the usual settings") is (kind == "")

    tell(story, AB, Config(profiles=REBOOT))


@pytest.mark.parametrize(("kind", "profiles"), [("reboot", {"reboot": {}}), ("reboot", {})])
def test_a_guest_has_its_own_in_its_xml(kind: str, profiles: dict[str, dict[str, Scope]]) -> None:
    """Where the configuration has the profile at all."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce(kind)
        await host.until_idle()
        await host.stop_units()
        assert host.up == ""
        assert host.calls("save") == (["save b"] if profiles else ["save a", "save b"])

    own = replace(AB[0], policy=(OwnSetting("profile.reboot.save", "none"),))
    tell(story, [own, AB[1]], Config(profiles=profiles))


def test_nobody_is_asked_where_it_makes_no_difference() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("")
        await host.until_idle()
        await host.stop_units()
        assert not host.said("the usual settings")

    tell(story, AB, Config(profiles={"ups": {"save": Scope.NONE}}))


@pytest.mark.parametrize(("before", "after"), [("", "reboot"), ("poweroff", "reboot")])
def test_a_kind_that_turns_out_as_units_are_stopped(before: str, after: str) -> None:
    """As on systemd 252, where logind does not tell: the run begins anew, by the right settings."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce(before)
        await asyncio.sleep(5)
        assert len(host.calls("save")) == 2
        host.kind = after
        await host.stop_units()
        assert host.up == ""
        assert len(host.calls("abort_job")) == 2
        assert asked(host)
        assert host.said("the run begins anew")
        await host.boot()
        assert host.up == "a b"

    tell(story, SLOW, Config(profiles=REBOOT))


def test_a_kind_that_turns_out_and_changes_nothing() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(5)
        host.kind = "poweroff"
        await host.stop_units()
        assert host.calls("save") == ["save a", "save b"]
        assert host.calls("abort_job") == []

    tell(story, SLOW, Config(profiles=REBOOT))


def test_another_shutdown_is_announced_in_mid_run() -> None:
    """The one before was cancelled, of which 257 sends no signal."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("reboot")
        await asyncio.sleep(0.5)
        host.announce("poweroff")
        await host.until_idle()
        await host.stop_units()
        assert host.up == ""
        assert len(host.calls("save")) == 2

    slow = Button(8.0)
    guests = [guest("a", button=slow), guest("b", button=slow)]
    tell(story, guests, Config(profiles=REBOOT))


def test_a_shutdown_after_one_that_was_cancelled_has_a_kind_of_its_own() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("reboot")
        await asyncio.sleep(5)
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "a b"
        host.announce("")
        await host.until_idle()
        assert len(host.calls("save")) == 2

    tell(story, AB, Config(profiles=REBOOT))


def test_the_time_of_a_profile_counts_from_the_announcement() -> None:
    """Its deadline, and how many are saved at a time, are those of the profile."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(5)
        begun = asyncio.get_running_loop().time()
        host.kind = "poweroff"
        await host.stop_units()
        assert host.up == ""
        assert asyncio.get_running_loop().time() - begun < 56
        assert host.sim.daemon(host.config.general.uris[0]).most_saves == 2

    hangs, never = Save(float("inf")), IGNORED_BUTTON
    guests = [guest("a", save=hangs, button=never), guest("b", save=hangs, button=never)]
    config = Config(shutdown=Shutdown(parallel=2), profiles={"poweroff": {"deadline": 60.0}})
    tell(story, guests, config)


HANGS = guest("a", save=Save(float("inf")), button=IGNORED_BUTTON)


@pytest.mark.parametrize("delay", [15.0, 40.0])
def test_the_shorter_time_of_a_profile_that_turns_out_late(delay: float) -> None:
    """Saves under way go on, as long as a run by the profile would let them."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        begun = asyncio.get_running_loop().time()
        host.announce("")
        await asyncio.sleep(delay)
        host.kind = "poweroff"
        await host.stop_units()
        assert host.up == ""
        assert asyncio.get_running_loop().time() - begun < 66
        assert host.guest("b").image is Image.COMPLETE
        assert host.said("too late to begin anew")
        assert host.said("the run begins anew")

    guests = [HANGS, guest("b", save=Save(18.0))]
    tell(story, guests, Config(profiles={"poweroff": {"deadline": 60.0}}))


@pytest.mark.parametrize("is_full", [False, True])
def test_the_time_of_a_run_that_begins_anew_counts_from_the_announcement(is_full: bool) -> None:
    """Once more for the next profile, and where the ledger does not tell of the run before."""

    async def story(host: ServedHost) -> None:
        host.sim.ledger_is_full = is_full
        await host.serve(5)
        begun = asyncio.get_running_loop().time()
        host.announce("")
        await asyncio.sleep(18)
        host.announce("reboot")
        await asyncio.sleep(20)
        host.kind = "poweroff"
        await host.stop_units()
        assert host.up == ""
        assert asyncio.get_running_loop().time() - begun < 66

    profiles = {"reboot": {"deadline": 100.0}, "poweroff": {"deadline": 60.0}}
    tell(story, [HANGS], Config(profiles=profiles))


def test_a_run_that_is_through_before_the_shorter_time_is_over() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(15)
        host.kind = "poweroff"
        await host.stop_units()
        assert host.calls("save") == ["save a", "save b"]
        assert host.calls("abort_job") == []

    tell(story, SLOW, Config(profiles={"poweroff": {"deadline": 60.0}}))


def test_the_longer_time_of_a_profile_that_turns_out_late() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        begun = asyncio.get_running_loop().time()
        host.announce("")
        await asyncio.sleep(25)
        host.kind = "poweroff"
        await host.stop_units()
        assert host.up == ""
        assert asyncio.get_running_loop().time() - begun < 66
        assert not host.said("the run begins anew")

    config = Config(shutdown=Shutdown(deadline=60.0), profiles={"poweroff": {"deadline": 100.0}})
    tell(story, [HANGS], config)


def test_a_guests_own_profile() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce("reboot")
        await host.until_idle()
        assert host.calls("save") == ["save a"]

    own = GuestOverride("a", {}, {"reboot": {"save": Scope.ALL}})
    tell(story, AB, Config(guests=(own,), profiles=REBOOT))


def test_a_fault_in_asking_costs_nobody_its_save() -> None:
    async def story(host: ServedHost) -> None:
        async def fails() -> str:
            raise RuntimeError("no such thing")

        host.kind_of_stop = fails  # type: ignore[method-assign]  # a fault of ours
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(5)
        await host.stop_units()
        assert host.calls("save") == ["save a", "save b"]
        assert host.said("internal error")

    tell(story, SLOW, Config(profiles=REBOOT))
