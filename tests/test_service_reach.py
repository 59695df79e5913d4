"""libvirtd is stopped for good while guests run: said at once, mended while that is possible."""

from __future__ import annotations

import asyncio

from .served import AB, SYSTEM, guest
from .sim.behaviour import Save
from .sim.service import ServedHost, tell

#: Longer than a restart of libvirtd takes.
NOTICED = 30.0


def test_it_is_said_who_could_not_be_saved() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).stop()
        await asyncio.sleep(NOTICED)
        assert host.service.state.out_of_reach == {SYSTEM: ("a", "b")}
        assert host.said("guests run there: a, b; nobody could save them")
        assert len([text for _, text in host.log if "could save them" in text]) == 1
        host.sim.daemon(SYSTEM).begin_anew()
        await asyncio.sleep(2 * NOTICED)
        assert host.service.state.out_of_reach == {}

    tell(story, AB)


def test_a_restart_of_libvirtd_is_not_worth_a_word() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).lose_connections(4.0)
        await asyncio.sleep(NOTICED)
        assert not host.said("could save them")

    tell(story, AB)


def test_an_announced_shutdown_has_it_started() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).stop()
        await asyncio.sleep(600)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await host.stop_units()
        assert host.touched == ["save a", "save b"]
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_a_service_that_begins_without_it_delays_the_shutdown_all_the_same() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).stop()
        await host.restart(NOTICED)
        assert host.life.login.held
        host.announce()
        await host.until_idle()
        assert host.touched == ["save a", "save b"]

    tell(story, AB)


def test_once_units_are_stopped_nobody_waits_in_vain() -> None:
    """A minute by the service, and another by its guard, before."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).stop()
        await asyncio.sleep(600)
        begun = asyncio.get_running_loop().time()
        await host.stop_units()
        assert asyncio.get_running_loop().time() - begun < 10
        assert host.said("these guests end without being saved: a, b")
        assert host.touched == []

    tell(story, AB)


def test_gone_in_mid_save_it_is_not_waited_for_either() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        begun = asyncio.get_running_loop().time()
        stopping = asyncio.create_task(host.stop_units())
        await asyncio.sleep(3)
        host.sim.daemon(SYSTEM).stop()
        await stopping
        assert asyncio.get_running_loop().time() - begun < 20
        assert host.said("end without being saved: a, b")

    tell(story, [guest("a", save=Save(60.0)), guest("b", save=Save(60.0))])


def test_one_that_is_there_and_does_not_answer_is_waited_for_once() -> None:
    """A minute in all, not one by the service and one more by its guard."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.daemon(SYSTEM).lose_connections()
        await asyncio.sleep(600)
        begun = asyncio.get_running_loop().time()
        await host.stop_units()
        assert 60 <= asyncio.get_running_loop().time() - begun < 80

    tell(story, AB)
