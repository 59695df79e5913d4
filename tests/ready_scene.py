"""A guest that was just started, and whoever waits until it is ready, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from guestctl.model.readiness import Accepts, AgentAnswers, HasAddress, Rule
from guestctl.runs.live_guest import LiveGuest
from guestctl.runs.readiness import ReadyChecks
from tests.sim import loop as virtual
from tests.sim.behaviour import Agent, Behaviour, GuestSpec
from tests.sim.daemon import SimDaemon
from tests.sim.guest import SimGuest
from tests.sim.hypervisor import SimHypervisor
from tests.sim.probe import SimProbe

LIMIT = 120.0
AGENT, ADDRESS, TCP = AgentAnswers(), HasAddress(), Accepts(5432)


@dataclass
class Scene:
    """A libvirtd with guests that were started at the time 0, as whoever waits for them sees it."""

    daemon: SimDaemon
    hypervisor: SimHypervisor
    probe: SimProbe
    checks: ReadyChecks
    progress: list[str] = field(default_factory=list)

    def live(self, guest: SimGuest) -> LiveGuest:
        return LiveGuest(guest.facts, self.hypervisor)

    async def wait(self, guest: SimGuest, rules: Iterable[Rule], timeout: float = LIMIT) -> str:
        live = self.live(guest)
        return await self.checks.wait(live, tuple(rules), timeout, self.progress.append)

    def asked(self, call: str) -> list[float]:
        """When libvirtd was asked this."""
        return [round(it.time, 3) for it in self.daemon.calls if it.name == call]


Story = Callable[[Scene, SimGuest], Awaitable[None]]


def play(story: Story, behaviour: Behaviour) -> None:
    """One guest, which was just started."""

    async def main() -> None:
        daemon = SimDaemon()
        guest = daemon.add(GuestSpec("db", behaviour=behaviour, booted=0.0))
        hypervisor, probe = SimHypervisor(daemon), SimProbe({daemon.uri: daemon})
        try:
            await story(Scene(daemon, hypervisor, probe, ReadyChecks(probe)), guest)
        finally:
            await hypervisor.close()

    virtual.run(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def wait(rules: Iterable[Rule], behaviour: Behaviour, timeout: float = LIMIT) -> tuple[str, float]:
    """What came of the wait, and when."""
    found: list[tuple[str, float]] = []

    async def story(scene: Scene, guest: SimGuest) -> None:
        why = await scene.wait(guest, rules, timeout)
        found.append((why, round(now(), 1)))

    play(story, behaviour)
    return found[0]


WORKS = Behaviour(agent=Agent.WORKS, address=0.0, accepts=0.0)
