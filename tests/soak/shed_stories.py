"""A seed to a story of guests that are shed and resumed, and what must be so.

After `resume` just those are up again that were shed, and that nobody else has touched since; as
long as nobody says it, and the host stays up, none of them is.
"""

from __future__ import annotations

import asyncio
import random

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.control.requests import RequestError
from guestctl.model.options import Scope
from guestctl.service.run_log import LoggedRun
from tests.shedding import ROOT, ended, resume_request, shed_request
from tests.sim.behaviour import GuestSpec
from tests.sim.chronicle import By
from tests.sim.service import ServedHost

from .stories import Story, some_behaviour, what_is_wrong_in

#: Longer than any step of these guests, and than [shutdown] settle.
QUIET = 400.0


def what_is_wrong(seed: int) -> str:
    """With the story of a seed; empty when nothing is."""
    story = _Story(random.Random(f"shed {seed}"))
    return what_is_wrong_in(story, seed)


def _guest(dice: random.Random, name: str) -> GuestSpec:
    behaviour = some_behaviour(dice, (1.0, 12.0))
    return GuestSpec(name, behaviour=behaviour)


def _config(dice: random.Random, names: str) -> Config:
    numbered = (GuestOverride(name, {"order": dice.choice((10, 20))}) for name in names)
    unsaved = dice.choice((Scope.PERSISTENT, Scope.PERSISTENT, Scope.NONE))
    tables = [table for table in numbered if dice.random() < 0.7]
    if dice.random() < 0.3:
        tables.append(GuestOverride(names[0], {"requires": (names[-1],)}))
    return Config(shutdown=Shutdown(save=unsaved, shutdown_timeout=20.0), guests=tuple(tables))


class _Story(Story):
    """shed: who was, and is down for it alone.  open: whose state cannot be told from outside."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        self._names = "abcde"[: dice.randint(2, 5)]
        self.guests = [_guest(dice, name) for name in self._names]
        self.config = _config(dice, self._names)
        self.shed: set[str] = set()

    async def happens(self, host: ServedHost) -> None:
        """The story."""
        await host.serve(5)
        for _ in range(self._dice.randint(2, 7)):
            await self._dice.choice(self._DEEDS)(self, host)
            await asyncio.sleep(self._dice.choice((60.0, QUIET)))
            assert not self.shed & set(host.up.split()), "somebody brought them back"
        await self._dice.choice(self._ENDS)(self, host)
        wrong = [entry for entry in host.sim.chronicle() if entry.wrong and entry.by is By.GUESTCTL]
        assert wrong == []

    # -- deeds -----------------------------------------------------------------------------------

    async def _is_shed(self, host: ServedHost) -> None:
        before = set(host.up.split())
        run = await self._begin_shed(host)
        if run is not None:
            await ended(run)
            self.shed |= before - set(host.up.split())

    async def _begin_shed(self, host: ServedHost) -> LoggedRun | None:
        names = [name for name in self._names if self._dice.random() < 0.5]
        names = names if self._dice.random() < 0.6 else []
        order = None if names else self._dice.choice((None, 10, 20))
        self._tell(f"shed {' '.join(names) or order or ''}")
        try:
            return await host.service.asked.begin(shed_request(*names, order=order), ROOT)
        except RequestError:
            if names or order:
                raise
            return None  # nobody that is up has a number

    async def _are_resumed(self, host: ServedHost) -> None:
        names = [name for name in self._names if self._dice.random() < 0.5]
        names = names if self._dice.random() < 0.3 else []
        before, back = set(host.up.split()), self.shed & set(names or self._names)
        self._tell(f"resume {' '.join(names)}")
        await self._resume(host, *names)
        assert set(host.up.split()) == before | back
        self.shed -= back

    async def _resume(self, host: ServedHost, *names: str) -> None:
        run = await ended(await host.service.asked.begin(resume_request(*names), ROOT))
        assert run.ok, run.result

    async def _is_called_off(self, host: ServedHost) -> None:
        before = set(host.up.split()) | self.shed
        if await self._begin_shed(host) is None:
            return
        await asyncio.sleep(self._dice.choice((0.0, 0.5, 5.0, 15.0)))
        self._tell("resume, in the midst of it")
        await self._resume(host)
        await asyncio.sleep(QUIET)
        assert set(host.up.split()) == before
        self.shed = set()

    async def _is_cut_off(self, host: ServedHost) -> None:
        before = set(host.up.split()) | self.shed
        if await self._begin_shed(host) is None:
            return
        await asyncio.sleep(self._dice.choice((0.0, 0.5, 5.0, 15.0)))
        self._tell("the service is killed")
        host.kill()
        await host.serve(self._dice.choice((5.0, QUIET)))
        await self._resume(host)
        await asyncio.sleep(QUIET)
        assert set(host.up.split()) == before
        self.shed = set()

    async def _resume_is_cut_off(self, host: ServedHost) -> None:
        before = set(host.up.split()) | self.shed
        await host.service.asked.begin(resume_request(), ROOT)
        await asyncio.sleep(self._dice.choice((0.0, 0.5, 5.0)))
        self._tell("resume, and the service is killed in the midst of it")
        host.kill()
        await host.serve(self._dice.choice((5.0, QUIET)))
        await self._resume(host)
        assert set(host.up.split()) == before
        self.shed = set()

    async def _libvirtd_is_killed(self, host: ServedHost) -> None:
        self._tell("libvirtd is killed")
        host.happen("qemu:///system is killed for 20s")

    async def _guest_changes(self, host: ServedHost) -> None:
        name = self._dice.choice(self._names)
        is_up = host.guest(name).up
        deed = self._dice.choice(
            ("powers itself off", "is destroyed") if is_up else ("is started",)
        )
        self._tell(f"{name} {deed}")
        host.happen(f"{name} {deed}")
        self.shed.discard(name)

    async def _service_is_killed(self, host: ServedHost) -> None:
        self._tell("the service is killed, and starts")
        host.kill()
        await host.serve(5)

    async def _service_is_away(self, host: ServedHost) -> None:
        self._tell("the service is stopped, and starts")
        await host.terminate()
        await self._guest_changes(host)
        await asyncio.sleep(100)
        await host.serve(5)

    async def _shutdown_is_cancelled(self, host: ServedHost) -> None:
        before = host.up
        self._tell("a shutdown is announced, and cancelled")
        host.announce()
        await asyncio.sleep(self._dice.choice((0.1, 5.0, 100.0)))
        host.cancel_shutdown()
        await asyncio.sleep(QUIET)
        assert host.up == before

    _DEEDS = (
        *(_is_shed, _is_shed, _is_shed, _are_resumed, _are_resumed, _guest_changes),
        *(_is_called_off, _is_cut_off, _resume_is_cut_off, _service_is_killed, _service_is_away),
        *(_shutdown_is_cancelled, _libvirtd_is_killed),
    )

    # -- ends ------------------------------------------------------------------------------------

    async def _all_are_resumed(self, host: ServedHost) -> None:
        await asyncio.sleep(QUIET)
        before = set(host.up.split())
        await self._resume(host)
        assert set(host.up.split()) == before | self.shed

    async def _power_is_cut(self, host: ServedHost) -> None:
        await asyncio.sleep(QUIET)
        before = set(host.up.split())
        self._tell("the power is cut, and the host boots")
        await host.boot(QUIET)
        assert set(host.up.split()) == before | self.shed

    async def _host_goes_down(self, host: ServedHost) -> None:
        await asyncio.sleep(QUIET)
        before = set(host.up.split())
        if self._dice.random() < 0.3 and await self._begin_shed(host):
            await asyncio.sleep(self._dice.choice((0.0, 1.0, 15.0)))
        self._tell("the host goes down, and boots")
        host.announce()
        await host.until_idle()
        await host.stop_units()
        await host.boot(QUIET)
        assert set(host.up.split()) == before | self.shed

    _ENDS = (_all_are_resumed, _power_is_cut, _host_goes_down)
