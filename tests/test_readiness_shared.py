"""What guests that are waited for share, and single looks at them, in virtual time."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from guestctl.model.readiness import HasRun
from guestctl.runs import readiness
from guestctl.runs.live_guest import LiveGuest
from guestctl.runs.readiness import AT_A_TIME, ReadyChecks
from tests.ready_scene import ADDRESS, AGENT, LIMIT, TCP, WORKS, Scene, now, play
from tests.sim import loop as virtual
from tests.sim.behaviour import Agent, Behaviour, GuestSpec
from tests.sim.daemon import SimDaemon
from tests.sim.guest import SimGuest
from tests.sim.hypervisor import SimHypervisor
from tests.sim.probe import SimProbe


def test_only_a_few_questions_are_asked_at_a_time_and_nobody_is_forgotten() -> None:
    count = 40

    async def main() -> None:
        daemon = SimDaemon()
        behaviour = Behaviour(address=0.0, accepts=20.0)
        guests = [
            daemon.add(GuestSpec(f"g{n}", behaviour=behaviour, booted=0.0)) for n in range(count)
        ]
        hypervisor, probe = SimHypervisor(daemon), SimProbe({daemon.uri: daemon})
        checks = ReadyChecks(probe)
        waits = [checks.wait(LiveGuest(g.facts, hypervisor), (TCP,), LIMIT) for g in guests]
        assert await asyncio.gather(*waits) == [""] * count
        assert now() < 25
        assert probe.most == AT_A_TIME
        await hypervisor.close()

    virtual.run(main())


def test_guests_that_hang_do_not_keep_others_from_being_ready() -> None:
    async def main() -> None:
        daemon = SimDaemon()
        hangs, works = Behaviour(agent=Agent.HANGS), Behaviour(agent=Agent.WORKS, boots=10.0)
        specs = [GuestSpec(f"h{n}", behaviour=hangs) for n in range(20)]
        specs.append(GuestSpec("works", behaviour=works, booted=0.0))
        guests = [daemon.add(spec) for spec in specs]
        hypervisor = SimHypervisor(daemon)
        checks = ReadyChecks(SimProbe({daemon.uri: daemon}))
        waits = [checks.wait(LiveGuest(g.facts, hypervisor), (AGENT,), LIMIT) for g in guests]
        *hung, fine = await asyncio.gather(*waits)
        assert fine == ""
        assert all(why.startswith("agent: ") for why in hung)
        await hypervisor.close()

    virtual.run(main())


@pytest.mark.parametrize("after", [0.0, 1.0, 2.0, 30.0, 31.0, 119.0])
@pytest.mark.parametrize("agent", [Agent.HANGS, Agent.ABSENT])
def test_given_up_at_any_moment_it_leaves_no_slot_taken(after: float, agent: Agent) -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        waits = [asyncio.create_task(scene.wait(guest, [AGENT])) for _ in range(20)]
        await asyncio.sleep(after)
        for task in waits:
            task.cancel()
        await asyncio.wait(waits)
        assert all(task.cancelled() for task in waits)
        guest.behaviour = WORKS
        begun = now()
        assert await scene.wait(guest, [ADDRESS, AGENT]) == ""
        assert now() - begun < readiness.ASK_LIMIT

    play(story, Behaviour(agent=agent))


def test_a_look_waits_for_nothing() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        live = scene.live(guest)
        why = await scene.checks.look(live, (HasRun(1000.0), AGENT, ADDRESS))
        assert why == "address: libvirt knows no address of it"
        assert now() == 0
        await asyncio.sleep(10)
        assert await scene.checks.look(live, (HasRun(1000.0), AGENT, ADDRESS)) == ""
        guest.shut_itself_down()
        assert await scene.checks.look(live, (AGENT,)) == "it went down again"

    play(story, Behaviour(agent=Agent.WORKS, address=10.0))


def test_only_addresses_that_somebody_has_are_connected_to() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        many = tuple(f"192.0.2.{n}" for n in range(9))

        async def addresses(uuid: str) -> tuple[str, ...]:
            del uuid
            return many

        scene.hypervisor.addresses = addresses  # type: ignore[method-assign]
        why = await scene.wait(guest, [TCP], 0.0)
        assert why == f"tcp:5432: {', '.join(many[:4])}: no answer within 3 s"
        assert [it.address for it in scene.probe.attempts] == list(many[:4])

    play(story, WORKS)


def test_what_each_address_said_is_told() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        said = {"192.0.2.1": "Connection refused", "192.0.2.2": "Network is unreachable"}

        async def addresses(uuid: str) -> tuple[str, ...]:
            del uuid
            return tuple(said)

        async def connects(address: str, port: int, limit: float) -> str:
            del port, limit
            return said[address]

        scene.hypervisor.addresses = addresses  # type: ignore[method-assign]
        scene.probe.connects = connects  # type: ignore[method-assign]
        why = await scene.wait(guest, [TCP], 0.0)
        refused, unreachable = (f"{address}: {word}" for address, word in said.items())
        assert why == f"tcp:5432: {refused}; {unreachable}"
        said["192.0.2.2"] = ""
        assert await scene.wait(guest, [TCP], 0.0) == ""

    play(story, WORKS)


def test_the_words_of_a_fault_are_kept() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        scene.daemon.failing.add("addresses")
        why = await scene.wait(guest, [ADDRESS], 0.0)
        assert why == "address: internal error: a fault that passes"

    play(story, Behaviour(address=inf))
