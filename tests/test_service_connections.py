"""The service while libvirt comes and goes, and is configured anew, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import General
from guestctl.model.options import Scope

from .served import AB, OTHER, SYSTEM, TWO_URIS, guest, off
from .sim.service import ServedHost, tell

# -- libvirt comes and goes ------------------------------------------------------------------------


def test_libvirtd_is_not_there_when_the_service_begins() -> None:
    async def story(host: ServedHost) -> None:
        host.happen(f"{SYSTEM} is lost for 10min")
        await host.serve(300)
        assert host.life.login.held  # guests run there, as their scopes tell
        assert host.service.connections.watches[SYSTEM].trouble
        await asyncio.sleep(400)
        assert host.life.login.held
        assert host.wanted == "a b"
        await host.stop_units()
        assert host.up == ""

    tell(story, AB)


def test_guests_that_were_up_are_waited_for_by_a_service_that_never_saw_them() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen(f"{SYSTEM} is killed for 30s")
        host.kill()
        await host.serve(2)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await host.stop_units()

    tell(story, AB)


def test_libvirtd_is_killed_in_the_delay_window_and_comes_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(2)
        host.happen(f"{SYSTEM} is killed for 20s")
        await host.stop_units()
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


@pytest.mark.parametrize("announced", [True, False])
def test_libvirtd_is_gone_for_ever(announced: bool) -> None:
    """That is said, the host is let go, and what ran comes back at boot."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen(f"{SYSTEM} is lost")
        if announced:
            host.announce()
            await host.until_idle()
        await host.stop_units()
        assert host.said("cannot read the guests of")
        assert asyncio.get_running_loop().time() < 400
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_libvirtd_is_restarted_now_and_then() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        for _ in range(5):
            host.happen(f"{SYSTEM} is killed for 2s")
            await asyncio.sleep(120)
            assert not host.service.connections.watches[SYSTEM].trouble
        host.happen("c is started")
        await asyncio.sleep(5)
        assert host.wanted == "a b c"
        host.happen("c powers itself off")
        await asyncio.sleep(5)
        assert host.wanted == "a b"
        assert host.touched == []

    tell(story, [*AB, off("c")])


def test_a_connection_that_comes_late() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        host.cut_power()
        host.sim.daemon(OTHER).lose_connections(600)
        await host.serve(120)
        assert host.up == "a"
        await asyncio.sleep(600)
        assert host.up == "a c"

    tell(story, [guest("a"), replace(guest("c"), uri=OTHER)], TWO_URIS)


# -- configuration ---------------------------------------------------------------------------------


def test_a_reload_with_other_connections() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.reload(TWO_URIS)
        await asyncio.sleep(5)
        assert host.wanted == "a b c"
        first_watch = host.service.connections.watches[SYSTEM]
        host.reload(TWO_URIS)
        assert host.service.connections.watches[SYSTEM] is first_watch
        host.reload(Config(general=General(uris=(OTHER,))))
        await asyncio.sleep(5)
        assert list(host.service.connections.watches) == [OTHER]
        await host.stop_units()
        assert host.calls("save") == ["save c"]

    tell(story, [*AB, replace(guest("c"), uri=OTHER)])


def test_a_stop_goes_by_what_was_written_just_before() -> None:
    """Other guests, and another connection."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        none = GuestOverride("b", {"save": Scope.NONE})
        host.write(replace(TWO_URIS, guests=(none,)))
        await host.stop_units()
        assert host.calls("save") == ["save a", "save c"]
        assert host.up == ""

    tell(story, [*AB, replace(guest("c"), uri=OTHER)])


def test_a_restore_goes_by_what_was_written_just_before() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.write(Config(guests=(GuestOverride("b", {"restore": False}),)))
        await host.boot(100)
        assert host.up == "a"

    tell(story, AB)


def test_a_reload_in_mid_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(2)
        host.reload(Config(general=General(uris=(OTHER,))))
        await host.until_idle()
        assert host.up == ""

    tell(story, AB)


def test_a_reload_while_a_restore_waits_for_another_run() -> None:
    """A connection that is not configured any more keeps nobody else's guests down."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        with host.operator():
            await host.boot(100)
            host.reload(Config())
            await asyncio.sleep(5)
        await asyncio.sleep(60)
        assert host.up == "a"

    tell(story, [guest("a"), replace(guest("c"), uri=OTHER)], TWO_URIS)
