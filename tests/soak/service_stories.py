"""A seed to a story of the service: what befalls a host for some days, and what must be so."""

from __future__ import annotations

import asyncio
import random

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.guest import State
from guestctl.model.options import Scope
from guestctl.model.stop import StoppedBy
from tests.sim.behaviour import GuestSpec
from tests.sim.chronicle import By
from tests.sim.service import ServedHost

from .service_ways import Ways, has_ways
from .stories import Story, some_behaviour, what_is_wrong_in

URI = "qemu:///system"
#: Longer than [shutdown] settle, than any step of these guests, and than any outage.
QUIET = 400.0


def what_is_wrong(seed: int) -> str:
    """With the story of a seed; empty when nothing is."""
    dice = random.Random(seed)
    story = _Story(dice, Ways(seed) if has_ways(seed) else None)
    return what_is_wrong_in(story, seed)


def _guest(dice: random.Random, name: str) -> GuestSpec:
    behaviour = some_behaviour(dice, (1.0, 1.0, 12.0))
    state = dice.choice((State.RUNNING, State.RUNNING, State.SHUT_OFF))
    return GuestSpec(name, state=state, behaviour=behaviour)


class _Story(Story):
    def __init__(self, dice: random.Random, ways: Ways | None) -> None:
        super().__init__(dice)
        self._ways = ways
        self._was_cancelled = False
        self.guests = [_guest(dice, name) for name in "abcd"[: dice.randint(1, 4)]]
        save = dice.choice((Scope.PERSISTENT, Scope.PERSISTENT, Scope.NONE))
        limits = Shutdown(
            save=save,
            shutdown_timeout=20.0,
            parallel=dice.choice((1, 16)),
            parallel_shutdowns=dice.choice((None, None, 1)),
        )
        self.config = Config(shutdown=limits)
        if ways:
            self.guests, self.config = ways.added_to(self.guests, self.config)

    async def _wait(self, *choices: float) -> None:
        await asyncio.sleep(self._dice.choice(choices))

    async def happens(self, host: ServedHost) -> None:
        """The story."""
        self._tell("the service starts")
        await host.serve(5)
        for _ in range(self._dice.randint(1, 3)):
            for _ in range(self._dice.randint(0, 4)):
                await self._dice.choice(self._DEEDS)(self, host)
                await self._wait(0.0, 0.5, 5.0, 60.0)
            quiet = self._dice.random() < 0.7
            if quiet:
                await self._quiet(host)
            await self._the_host_goes_down(host, settled=quiet)
        assert (self._ways.what_is_wrong(host) if self._ways else []) == []

    def _announce(self, host: ServedHost) -> None:
        kind = self._ways.announced(host) if self._ways else "poweroff"
        self._tell(f"a shutdown is announced ({kind or 'kind unknown'})")
        host.announce(kind)

    async def _quiet(self, host: ServedHost) -> None:
        """The service sees everything as it is, and has touched nobody."""
        if host.life.is_over:
            await host.serve(5)
        await asyncio.sleep(QUIET)
        assert host.service.state.activity == "watching", host.service.state.activity
        assert host.life.login.held == bool(host.up)
        assert set(host.up.split()) <= set(host.wanted.split())

    # -- deeds -----------------------------------------------------------------------------------

    async def _guest_changes(self, host: ServedHost) -> None:
        if not host.sim.daemon(URI).reachable:
            return  # nobody could start a guest then, and nobody see one start
        name = self._dice.choice([guest.name for guest in host.sim.guests()])
        ups = ("powers itself off", "is destroyed", "crashes", "is paused", "is unpaused")
        deed = self._dice.choice(ups if host.guest(name).up else ("is started",))
        self._tell(f"{name} {deed}")
        host.happen(f"{name} {deed}")

    async def _libvirtd_is_killed(self, host: ServedHost) -> None:
        await asyncio.sleep(15)  # nobody can know of a guest in the middle of its start
        seconds = self._dice.choice((2, 20, 100))
        self._tell(f"libvirtd is killed for {seconds} s")
        host.happen(f"{URI} is killed for {seconds}s")

    async def _service_is_killed(self, host: ServedHost) -> None:
        touched = len(host.touched)
        self._tell("the service is killed")
        host.kill()
        await self._wait(0.1, 2.0, 30.0)
        self._tell("the service starts")
        await host.serve(self._dice.choice((0.0, 1.0, 30.0)))
        assert set(host.touched[touched:]) <= self._owed(host)

    async def _service_is_restarted(self, host: ServedHost) -> None:
        touched = len(host.touched)
        self._tell("the service is restarted")
        await host.restart(self._dice.choice((0.0, 1.0, 30.0)))
        assert set(host.touched[touched:]) <= self._owed(host)

    def _owed(self, host: ServedHost) -> set[str]:
        """The starts of who crashed after a stop that was cancelled: its restore goes on as long
        as guests may still follow its requests."""
        trail = host.sim.ledger.trail
        newest = {guest.name: trail.newest_verdict(guest.id) for guest in host.sim.guests()}
        crashed = {name for name, it in newest.items() if it and it.who is StoppedBy.CRASH}
        return {f"start {name}" for name in crashed} if self._was_cancelled else set()

    async def _shutdown_is_cancelled(self, host: ServedHost) -> None:
        await self._quiet(host)
        before, crashed = host.up, self._crashed(host)
        self._announce(host)
        await self._wait(0.0, 0.1, 1.0, 5.0, 30.0, 100.0)
        if self._dice.random() < 0.2:
            self._tell("the service is killed, and starts again")
            host.kill()
            if self._ways:
                self._ways.another_process()
            await host.serve(self._dice.choice((0.0, 2.0)))
        self._tell("it is cancelled")
        host.cancel_shutdown()
        await asyncio.sleep(QUIET)
        self._was_cancelled = True
        assert self._missing(host, before) == []
        assert set(host.up.split()) <= set(before.split()) | crashed

    _DEEDS = (
        _guest_changes,
        _guest_changes,
        _guest_changes,
        _libvirtd_is_killed,
        _service_is_killed,
        _service_is_restarted,
        _shutdown_is_cancelled,
    )

    # -- the host's end --------------------------------------------------------------------------

    async def _the_host_goes_down(self, host: ServedHost, *, settled: bool) -> None:
        before, crashed = host.up, self._crashed(host)
        if self._dice.random() < 0.25:
            self._tell("the power is cut, once the service has seen everything")
            await self._quiet(host)
            before = host.up
        else:
            await self._in_order(host)
        self._tell("the host boots")
        self._was_cancelled = False
        await host.boot(QUIET)
        assert self._missing(host, before) == []
        if settled:
            assert set(host.up.split()) <= set(before.split()) | crashed
        wrong = [entry for entry in host.sim.chronicle() if entry.wrong and entry.by is By.GUESTCTL]
        assert wrong == []

    async def _in_order(self, host: ServedHost) -> None:
        if self._dice.random() < 0.7:
            self._announce(host)
            await self._wait(0.0, 1.0, 5.0, 30.0)
        if self._dice.random() < 0.3:
            self._tell("the service is killed")
            host.kill()
            await self._wait(0.0, 3.0)
        kind = self._ways.stops(host) if self._ways else ""
        self._tell(f"units are stopped ({kind or 'kind unknown'})")
        await host.stop_units()
        assert host.up == "" or not host.sim.daemon(URI).reachable

    def _missing(self, host: ServedHost, before: str) -> list[str]:
        """Who was up, and is neither up now nor held with a reason."""
        records = host.sim.ledger.guests()
        held = {
            g.name for g in host.sim.guests() if g.id in records and records[g.id].hold is not None
        }
        return sorted(set(before.split()) - set(host.up.split()) - held)

    def _crashed(self, host: ServedHost) -> set[str]:
        """A guest that crashed, or whose start failed, is wanted on, and may come back."""
        records = host.sim.ledger.guests().values()
        return {record.name for record in records if record.stopped_by is StoppedBy.CRASH}
