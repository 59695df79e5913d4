"""An order, and a host that goes down, or a service that dies, in mid-run."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.model.options import Scope

from .served import guest
from .sim.behaviour import Button, GuestSpec, Start
from .sim.service import ServedHost, tell

CHAIN = (
    GuestOverride("app", {"requires": ("db",)}),
    GuestOverride("db", {"requires": ("fw",)}),
)
#: What each guest takes to start, and to shut down: at 1.5 of these the second of them is at it.
TAKES = 20.0
MIDST = 1.5 * TAKES
UP = ["start fw", "start db", "start app"]
SAVED = Config(guests=CHAIN)
SHUT_DOWN = Config(guests=CHAIN, shutdown=Shutdown(save=Scope.NONE))


def three() -> list[GuestSpec]:
    return [guest(name, start=Start(TAKES), button=Button(TAKES)) for name in ("app", "db", "fw")]


@pytest.mark.parametrize("config", [SAVED, SHUT_DOWN], ids=["saved", "shut-down"])
def test_the_host_goes_down_in_mid_restore(config: Config) -> None:
    """Who is up goes down, who waits stays as it is; all come up in order at the next boot."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        await host.boot(MIDST)
        assert host.up == "db fw"  # the former is being started
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await host.stop_units()
        begun = len(host.calls("start"))
        await host.boot(5 * TAKES)
        assert host.up == "app db fw"
        assert host.calls("start")[begun:] == UP

    tell(story, three(), config)


def test_a_service_that_starts_anew_in_mid_restore_goes_on_in_order() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        await host.boot(MIDST)
        host.kill()
        await host.serve(5 * TAKES)
        assert host.up == "app db fw"
        assert list(dict.fromkeys(host.calls("start"))) == UP

    tell(story, three(), SHUT_DOWN)


def test_a_service_that_dies_in_mid_preserve_leaves_the_order_to_the_guard() -> None:
    """Who is up then goes down in order; nobody waits for who is down already."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(MIDST)
        assert host.up == "db fw"
        host.kill()
        await host.stop_units()
        assert host.up == ""
        asked = dict.fromkeys(host.calls("request_shutdown acpi"))
        assert list(asked) == [f"request_shutdown acpi {name}" for name in ("app", "db", "fw")]
        await host.boot(5 * TAKES)
        assert host.calls("start") == UP

    tell(story, three(), SHUT_DOWN)
