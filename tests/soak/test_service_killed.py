"""The service, or the guard, killed at every call and ledger write: nobody is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.guest import State
from guestctl.model.options import Scope
from tests.quick import one_in, only
from tests.sim.behaviour import IGNORED_BUTTON, Behaviour, Button, GuestSpec, Save, Start
from tests.sim.chronicle import By
from tests.sim.service import ServedHost, tell

#: Beyond the points of any process.
NEVER = 100_000
Sequel = Callable[[ServedHost], Awaitable[None]]


def _guest(name: str, state: State = State.RUNNING, **behaviour: object) -> GuestSpec:
    return GuestSpec(name, state=state, behaviour=replace(Behaviour(), **behaviour))  # type: ignore[arg-type]  # by name


_NO_SAVES = Config(shutdown=Shutdown(save=Scope.NONE))
_BRISK = Config(shutdown=Shutdown(save_timeout=6.0, shutdown_timeout=6.0, job_timeout=4.0))
_OFF = _guest("z", State.SHUT_OFF)

HOSTS: dict[str, tuple[list[GuestSpec], Config]] = {
    "saved": ([_guest("a"), _guest("b", save=Save(8.0), start=Start(9.0)), _OFF], Config()),
    "shut down": ([_guest("a"), _guest("b", button=Button(8.0)), _OFF], _NO_SAVES),
    "powered off": (
        [_guest("a", save=Save(60.0, wreck=True), button=IGNORED_BUTTON), _guest("b"), _OFF],
        _BRISK,
    ),
}
#: How the one host goes down, and comes back, that is quick.
QUICK = "shut down"
every_host = pytest.mark.parametrize("name", only([QUICK], {name: name for name in HOSTS}))


@dataclass
class Cut:
    """The process that is killed when it comes to a point, which it did or not."""

    point: int
    was_killed: bool = False

    def arm(self, host: ServedHost) -> None:
        """The next process has the fuse."""
        host.fuses = {self.point: partial(self._kill, host)}

    def _kill(self, host: ServedHost) -> None:
        self.was_killed = True
        host.kill()


def _everybody_is_back(host: ServedHost) -> None:
    held = {id for id, record in host.sim.ledger.guests().items() if record.hold is not None}
    lost = [g.name for g in host.sim.guests() if g.name != "z" and not (g.up or g.id in held)]
    wrong = [e for e in host.sim.chronicle() if e.wrong and e.by is By.GUESTCTL]
    assert (lost, wrong) == ([], [])
    assert not host.guest("z").up


def _at_every_point(
    name: str, story: Callable[[ServedHost, Cut], Awaitable[None]], every: int = 1
) -> None:
    """Until a point is not come to any more."""
    guests, config = HOSTS[name]
    point = 1
    while True:
        cut = Cut(point)
        try:
            tell(lambda host, cut=cut: story(host, cut), guests, config)  # type: ignore[misc]  # bound now
        except AssertionError as error:
            raise AssertionError(f"killed at point {point}: {error}") from error
        if not cut.was_killed:
            return
        point += every


async def _guard(host: ServedHost) -> None:
    await host.stop_units()
    assert host.up == ""


async def _started_again(host: ServedHost) -> None:
    """As systemd does, in the delay window; then units are stopped."""
    await host.serve(40)
    assert host.up == "" or not host.preparing
    await _guard(host)


async def _power_cut(_: ServedHost) -> None:
    """At once."""


async def _power_cut_later(_: ServedHost) -> None:
    await asyncio.sleep(30)


SEQUELS = (_guard, _started_again, _power_cut, _power_cut_later)


@pytest.mark.thorough
@every_host
@pytest.mark.parametrize("sequel", one_in(len(SEQUELS), SEQUELS))
def test_the_service_is_killed_as_the_host_goes_down(name: str, sequel: Sequel) -> None:
    async def story(host: ServedHost, cut: Cut) -> None:
        await host.serve(5)
        await host.terminate()
        cut.arm(host)
        await host.serve(5)
        if not host.life.is_over:
            host.announce()
            await asyncio.sleep(40)
        await (sequel(host) if host.life.is_over else _guard(host))
        await host.boot(90)
        _everybody_is_back(host)

    _at_every_point(name, story)


async def _killed_and_started(host: ServedHost) -> None:
    await host.serve(90)


async def _boot_again(host: ServedHost) -> None:
    await host.boot(90)


async def _host_stops(host: ServedHost) -> None:
    await _guard(host)
    await host.boot(90)


@pytest.mark.thorough
@every_host
@pytest.mark.parametrize("sequel", one_in(3, (_killed_and_started, _boot_again, _host_stops)))
def test_the_service_is_killed_as_it_brings_guests_back(name: str, sequel: Sequel) -> None:
    async def story(host: ServedHost, cut: Cut) -> None:
        await host.serve(5)
        await host.stop_units()
        host.cut_power()
        cut.arm(host)
        await host.serve(60)
        if host.life.is_over:
            await sequel(host)
        _everybody_is_back(host)

    _at_every_point(name, story)


@pytest.mark.thorough
@every_host
def test_the_service_is_killed_as_a_shutdown_is_cancelled(name: str) -> None:
    async def story(host: ServedHost, cut: Cut) -> None:
        await host.serve(5)
        await host.terminate()
        cut.arm(host)
        await host.serve(5)
        host.announce()
        await asyncio.sleep(3)
        host.cancel_shutdown()
        await asyncio.sleep(40)
        if host.life.is_over:
            await host.serve(90)
        _everybody_is_back(host)

    _at_every_point(name, story)


@every_host
def test_the_guard_is_killed(name: str) -> None:
    """As systemd does when its time is over: the host goes down all the same."""

    async def story(host: ServedHost, cut: Cut) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(2)
        host.kill()
        cut.arm(host)
        await host.stop_units()
        await host.boot(90)
        _everybody_is_back(host)

    _at_every_point(name, story)
