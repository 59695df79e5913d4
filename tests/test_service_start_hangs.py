"""A start that hangs keeps the restore of a boot at work, and nobody else has to wait for it."""

from __future__ import annotations

import asyncio

from guestctl.config.config import Config, GuestOverride
from guestctl.model.record import held

from .served import guest
from .sim.behaviour import Start
from .sim.service import ServedHost, tell
from .test_service_late import lose_disk, waits

HANGS = guest("hangs", start=Start(3600.0))


async def boot_without_disk(host: ServedHost, seconds: float) -> None:
    await host.serve(5)
    host.cut_power()
    lose_disk(host, "a")
    await host.serve(seconds)
    assert "No such file" in str(waits(host, "a"))
    assert host.service.state.activity == "bringing guests back"


def said(host: ServedHost, name: str) -> list[str]:
    return [line.reason for line in host.sim.ledger.trail.of(host.guest(name).id)]


def test_a_disk_that_comes_while_a_start_hangs() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        before = said(host, "a")
        host.happen("a has its disk again")
        await asyncio.sleep(60)
        assert host.service.state.activity == "bringing guests back"
        assert host.up == "a hangs"
        assert waits(host, "a") is None
        assert said(host, "a")[len(before) :] == ["start done"]
        await asyncio.sleep(300)
        assert host.runs()[-1] == ("restore", "boot", False)
        run = host.sim.ledger.runs.newest(1)[0].id
        outcomes = {one.name: one.outcome for one in host.sim.ledger.runs.guests(run)}
        assert outcomes == {"a": "started", "hangs": "failed"}

    tell(story, [guest("a"), HANGS])


def test_nothing_is_said_of_attempts_in_vain_and_they_get_rare() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        before, log = said(host, "a"), len(host.log)
        attempts = host.calls("start").count("start a")
        await asyncio.sleep(200)
        assert said(host, "a") == before
        assert not [text for _, text in host.log[log:] if "a: " in text]
        assert 1 <= host.calls("start").count("start a") - attempts <= 4
        await asyncio.sleep(60)
        host.happen("a has its disk again")
        await asyncio.sleep(30)
        assert host.up == "a hangs"

    tell(story, [guest("a"), HANGS])


def test_who_requires_it_comes_with_it() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        assert "requires a" in str(waits(host, "b"))
        host.happen("a has its disk again")
        await asyncio.sleep(200)
        assert host.service.state.activity == "bringing guests back"
        assert host.up == "a b hangs"

    own = GuestOverride("b", {"requires": ("a",)})
    tell(story, [guest("a"), guest("b"), HANGS], Config(guests=(own,)))


def test_the_start_that_hangs_is_not_begun_a_second_time() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        await asyncio.sleep(400)
        assert host.calls("start").count("start hangs") == 1

    tell(story, [guest("a"), HANGS, guest("slow", start=Start(350.0))])


def test_the_host_goes_down_meanwhile() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        starts = host.calls("start")
        host.announce()
        host.happen("a has its disk again")
        await host.until_idle()
        await asyncio.sleep(60)
        assert host.calls("start") == starts
        assert host.up == ""

    tell(story, [guest("a"), HANGS])


def test_who_is_held_meanwhile_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await boot_without_disk(host, 60)
        host.sim.ledger.change(host.guest("a").id, lambda it: held(it, "repair"))
        host.happen("a has its disk again")
        await asyncio.sleep(400)
        assert "a" not in host.up.split()

    tell(story, [guest("a"), HANGS])
