"""Following logind on a real bus: its announcements, its inhibitor, and restarts of everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from guestctl.host import logind
from guestctl.host.logind import Logind
from tests.unit.private_bus import FakeLogind, FakeService, PrivateBus, open_fds, private_bus, until
from tests.unit.running import run_async


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    # So that a test does not wait as long as a host can.
    monkeypatch.setattr(logind, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(logind, "LAST_PAUSE", 0.1)
    monkeypatch.setattr(logind, "READ_AGAIN", 0.1)
    with private_bus() as running:
        yield running


class Service:
    """What follows logind: what it heard, and how often it was told of a change."""

    def __init__(self, address: str) -> None:
        self.kinds: list[str] = []
        self.changes = 0
        self.logind = Logind("guests run", self.kinds.append, self._changed, address)

    def _changed(self) -> None:
        self.changes += 1


@contextlib.asynccontextmanager
async def following(bus: PrivateBus, **known: Any) -> AsyncIterator[tuple[Service, FakeLogind]]:
    """A service on a bus with a logind; both end, and nothing is left open."""
    before = open_fds()
    async with fake_logind(bus) as fake:
        for name, value in known.items():
            setattr(fake, name, value)
        async with running(bus) as service:
            await until(lambda: service.logind.connected)
            yield service, fake
    # A bus that was killed took its standard output with it.
    assert open_fds() == before - (bus.process is None)


@contextlib.asynccontextmanager
async def running(bus: PrivateBus) -> AsyncIterator[Service]:
    service = Service(bus.address)
    task = asyncio.create_task(service.logind.run())
    try:
        yield service
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def fake_logind(bus: PrivateBus) -> AsyncIterator[FakeLogind]:
    fake = FakeLogind()
    await fake.connect(bus.address)
    try:
        yield fake
    finally:
        fake.leave()
        fake.close()


def test_what_logind_says(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            assert await service.logind.preparing() is False
            fake.preparing = True
            assert await service.logind.preparing() is True
            assert await service.logind.delay() == 5.0

    run_async(work())


def test_before_there_is_a_connection_nothing_is_known(bus: PrivateBus) -> None:
    async def work() -> None:
        service = Service(bus.address)
        assert await service.logind.preparing() is None
        assert await service.logind.delay() is None
        assert not service.logind.connected
        assert not service.logind.held

    run_async(work())


def test_the_inhibitor_comes_and_goes(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            for _ in range(3):
                service.logind.inhibit(True)
                service.logind.inhibit(True)
                await until(lambda: fake.locks == 1)
                await until(lambda: service.logind.held)
                service.logind.inhibit(False)
                assert not service.logind.held
                assert fake.locks == 0
            assert fake.asked == 3 * [["shutdown", "guestctl", "guests run", "delay"]]

    run_async(work())


def test_it_is_no_longer_wanted_when_it_comes(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await asyncio.sleep(0)
            service.logind.inhibit(False)
            # One more round: what was asked for has been answered by then.
            await service.logind.delay()
            await asyncio.sleep(0.05)
            assert fake.locks == 0
            assert not service.logind.held

    run_async(work())


@pytest.mark.parametrize("kind", ["poweroff", "reboot", "halt", "kexec", "soft-reboot", ""])
def test_a_shutdown_is_told_once_with_its_kind(bus: PrivateBus, kind: str) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            fake.shut_down(kind)
            await until(lambda: bool(service.kinds))
            await asyncio.sleep(0.25)  # several looks
            assert service.kinds == [kind]
            assert service.logind.shutting_down

    run_async(work())


def test_a_shutdown_already_announced_when_the_service_starts(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus, preparing=True) as (service, _):
            assert service.kinds == [""]

    run_async(work())


@pytest.mark.parametrize("signal", [True, False])
def test_a_cancelled_shutdown(bus: PrivateBus, signal: bool) -> None:
    """systemd 257 says nothing when one is cancelled, so it is looked for."""

    async def work() -> None:
        async with following(bus) as (service, fake):
            fake.shut_down("poweroff")
            await until(lambda: service.logind.shutting_down)
            changes = service.changes
            fake.cancel(signal=signal)
            await until(lambda: not service.logind.shutting_down)
            assert service.changes > changes
            fake.shut_down("reboot")
            await until(lambda: len(service.kinds) == 2)
            assert service.kinds == ["poweroff", "reboot"]

    run_async(work())


def test_another_shutdown_right_after_a_cancelled_one(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            fake.shut_down("poweroff")
            fake.cancel()
            fake.shut_down("reboot")
            await until(lambda: service.kinds == ["poweroff", "reboot"])

    run_async(work())


def test_a_forged_announcement(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            forger = FakeService("org.example.Forger", fake.path, fake.interface)
            await forger.connect(bus.address)
            forger.emit("PrepareForShutdown", "b", True)
            assert await service.logind.preparing() is False
            await asyncio.sleep(0.05)
            assert service.kinds == []
            forger.leave()

    run_async(work())


def test_an_inhibitor_while_a_shutdown_is_pending(bus: PrivateBus) -> None:
    """logind refuses it; it is had as soon as the shutdown is off."""

    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            fake.shut_down("poweroff")
            await until(lambda: service.logind.shutting_down)
            service.logind.inhibit(False)
            service.logind.inhibit(True)
            await until(lambda: len(fake.asked) > 2)
            assert not service.logind.held
            assert service.logind.problem
            assert service.logind.connected
            fake.cancel()
            await until(lambda: service.logind.held)
            await until(lambda: not service.logind.problem)

    run_async(work())


def test_the_bus_is_restarted(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            bus.kill()
            await until(lambda: not service.logind.connected)
            assert service.logind.held, "the lock is logind's affair, not the bus's"
            assert await service.logind.preparing() is None
            fake.leave()
            bus.start()
            await fake.connect(bus.address)
            await until(lambda: service.logind.connected)
            await until(lambda: len(fake.asked) == 2 and fake.locks == 1)
            assert (fake.fewest, fake.most) == (1, 2), "there was a moment without an inhibitor"
            fake.shut_down("reboot")
            await until(lambda: service.kinds == ["reboot"])

    run_async(work())


def test_logind_is_restarted(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            fake.leave()
            await until(lambda: not service.logind.connected)
            assert service.logind.problem
            assert service.logind.held
            await fake.connect(bus.address)
            await until(lambda: service.logind.connected)
            await until(lambda: len(fake.asked) == 2 and fake.locks == 1)
            assert (fake.fewest, fake.most) == (1, 2)
            fake.shut_down("reboot")
            await until(lambda: service.kinds == ["reboot"])

    run_async(work())


def test_a_shutdown_begins_while_the_bus_is_away(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            bus.kill()
            await until(lambda: not service.logind.connected)
            fake.leave()
            fake.preparing = True
            bus.start()
            await fake.connect(bus.address)
            await until(lambda: service.kinds == [""])

    run_async(work())


def test_no_bus_when_the_service_starts(bus: PrivateBus) -> None:
    bus.kill()

    async def work() -> None:
        async with running(bus) as service:
            service.logind.inhibit(True)
            await until(lambda: bool(service.logind.problem))
            bus.start()
            async with fake_logind(bus) as fake:
                await until(lambda: service.logind.held and fake.locks == 1)

    run_async(work())


def test_a_logind_that_is_gone_is_never_started(bus: PrivateBus) -> None:
    bus.activatable(logind.NAME)
    bus.kill()
    bus.start()

    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            fake.leave()
            await until(lambda: not service.logind.connected)
            assert await service.logind.preparing() is None
            service.logind.inhibit(False)
            service.logind.inhibit(True)
            await asyncio.sleep(0.3)
            assert not bus.activated

    run_async(work())


def test_a_logind_that_hangs(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logind, "CALL_LIMIT", 0.05)

    async def work() -> None:
        async with following(bus) as (service, fake):
            answers = fake.methods, fake.properties
            fake.methods, fake.properties = {}, {}
            assert await service.logind.preparing() is None
            service.logind.inhibit(True)
            await until(lambda: not service.logind.connected)
            fake.methods, fake.properties = answers
            await until(lambda: service.logind.held)
            assert service.logind.connected

    run_async(work())


def test_when_all_is_well_it_sleeps(bus: PrivateBus) -> None:
    async def work() -> None:
        async with following(bus) as (service, fake):
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            await asyncio.sleep(0.05)
            calls, changes = len(fake.calls), service.changes
            await asyncio.sleep(0.4)
            assert (len(fake.calls), service.changes) == (calls, changes)

    run_async(work())


def test_the_inhibitor_goes_with_the_service(bus: PrivateBus) -> None:
    async def work() -> None:
        async with fake_logind(bus) as fake:
            async with running(bus) as service:
                service.logind.inhibit(True)
                await until(lambda: service.logind.held)
            assert fake.locks == 0
            assert not service.logind.held

    run_async(work())
