"""facts.toml: what is observed of guests is enough, and is what guestctl finds."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from guestctl.config.config import Config
from guestctl.model.guest import Disk, DiskKind, GuestFacts, GuestId, State
from guestctl.runs.context import read_all, with_domain_info
from tests.sim import loop as virtual
from tests.sim.behaviour import Behaviour, GuestSpec, Image
from tests.sim.events import parse_events
from tests.sim.facts import FactsError, parse_facts
from tests.sim.observed import MIB, Observed
from tests.sim.scenario import Script, run_script
from tests.sim.text import facts_text
from tests.sim.world import SimHost

RECORDED = """
[[guest]]
name = "web"
uri = "qemu:///session"
uuid = "9d0b4a5e-9f0e-4c34-8f39-0f1c0e6b8a11"
state = "shut off"
reason = "saved"
autostart = true
saved = true
memory = "512MiB"
disks = [{ kind = "file", name = "/disk-1" }, { kind = "block", name = "/dev/disk-2" }]

[[guest]]
name = "nova-1"
persistent = false
manager = "OpenStack Nova"
unsavable = ["it has a host device"]
disks = "unknown"
"""
DISKS = (Disk(DiskKind.FILE, "/disk-1"), Disk(DiskKind.BLOCK, "/dev/disk-2"))


def _as_read(text: str) -> dict[str, GuestFacts]:
    """What guestctl finds on a host with the guests of a facts.toml."""

    async def story() -> dict[str, GuestFacts]:
        guests, room = parse_facts(text)
        with SimHost(guests, room=room) as host:
            hypervisors = host.process().context.hypervisors
            inventory = await read_all(hypervisors)
            return {g.name: g for g in await with_domain_info(hypervisors, inventory.guests)}

    return virtual.run(story())


def test_what_is_observed_of_guests_is_a_whole_facts_file() -> None:
    found = _as_read(RECORDED)
    web, nova = found["web"], found["nova-1"]
    assert web == GuestFacts(
        GuestId("qemu:///session", "9d0b4a5e-9f0e-4c34-8f39-0f1c0e6b8a11"),
        "web",
        State.SHUT_OFF,
        "saved",
        autostart=True,
        saved=True,
        memory=512 * MIB,
        info=replace(web.info, disks=DISKS),
    )
    assert (nova.state, nova.reason, nova.persistent) == (State.RUNNING, "booted", False)
    assert (nova.info.manager, nova.info.disks) == ("OpenStack Nova", None)
    assert nova.info.unsavable == ("it has a host device",)


def test_facts_are_written_as_they_are_read() -> None:
    guests, room = parse_facts(RECORDED)
    assert parse_facts(facts_text(guests, room)) == (guests, room)


def test_behaviour_is_none_of_what_is_observed() -> None:
    observed, behaviour = ({row.name for row in fields(kind)} for kind in (Observed, Behaviour))
    assert observed & behaviour == set()
    assert {row.name for row in fields(GuestSpec)} & behaviour == set()


def test_a_word_that_facts_do_not_have_is_named() -> None:
    with pytest.raises(FactsError, match="has no colour"):
        parse_facts('[[guest]]\nname = "web"\ncolour = "red"\n')


def test_more_can_be_said_of_a_save_than_that_there_is_one() -> None:
    guests, _ = parse_facts('[[guest]]\nname = "web"\nsaved = true\nimage = "broken"\n')
    assert [guest.managed_save for guest in guests] == [Image.BROKEN]


def test_a_story_can_be_told_of_what_is_observed() -> None:
    guests, room = parse_facts(RECORDED)
    turns = parse_events("0s preserve\n+1s start web\n")
    [_, down], [_, up] = run_script(Script(guests, room, Config(), turns)).runs
    assert [(guest.name, guest.outcome) for guest in down.guests] == [("nova-1", "shut-down")]
    assert [(guest.name, guest.outcome) for guest in up.guests] == [("web", "resumed")]
