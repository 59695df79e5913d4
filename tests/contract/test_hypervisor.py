"""What every Hypervisor has to do alike: the simulation, libvirt's test driver, real QEMU.

The scenarios are worth what the simulation is worth; this suite keeps it honest.
"""

from __future__ import annotations

import asyncio

import pytest

from guestctl.host.libvirt.policy_xml import MOST
from guestctl.model.event import EventKind
from guestctl.model.guest import OwnSetting, State
from guestctl.model.options import Method
from guestctl.model.policy_change import PolicyChange
from guestctl.model.ports import ErrorKind

from .benches import (
    LIMIT,
    NAME,
    PASSING,
    Bench,
    Trial,
    refusal,
)
from .differences import OF_OFF, OF_RUNNING, UNKNOWN, expected

# -- reading -------------------------------------------------------------------------------------


def test_guests_lists_every_guest(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        listed = {guest.id.uuid: guest for guest in await trial.hypervisor.guests()}
        guest = listed[trial.guest]
        assert guest == await trial.facts()
        assert guest.name == NAME
        assert guest.id.uri == trial.hypervisor.uri
        assert guest.state is State.RUNNING
        assert guest.up
        assert guest.persistent
        assert not guest.saved
        assert guest.memory >= 64 * 1024 * 1024

    bench.run(story)


def test_an_unknown_guest_is_none_and_can_do_nothing(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert await trial.hypervisor.observe(UNKNOWN) is None
        assert await refusal(trial.hypervisor.start(UNKNOWN)) is ErrorKind.NO_GUEST
        assert await refusal(trial.hypervisor.job(UNKNOWN)) is ErrorKind.NO_GUEST

    bench.run(story)


def test_the_autostart_flag_is_reported(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert not (await trial.facts()).autostart
        bench.set_autostart(trial.guest, True)
        assert (await trial.facts()).autostart
        bench.set_autostart(trial.guest, False)
        assert not (await trial.facts()).autostart

    bench.run(story)


def test_nobody_is_started_once_unless_that_was_said(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert await trial.hypervisor.started_once() == frozenset()

    bench.run(story)


def test_the_nature_of_a_guest_is_the_same_from_boot_to_boot(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        off = (await trial.hypervisor.domain_info([trial.guest]))[trial.guest]
        await trial.on()
        on = (await trial.hypervisor.domain_info([trial.guest]))[trial.guest]
        assert off.digest
        assert on.digest == off.digest
        assert (on.unsavable, on.manager) == ((), None)
        assert on.disks is not None

    bench.run(story)


def test_guests_that_are_no_more_have_no_nature(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert await trial.hypervisor.domain_info([]) == {}
        assert set(await trial.hypervisor.domain_info([UNKNOWN, trial.guest])) == {trial.guest}

    bench.run(story)


def test_a_transient_guest_has_a_nature_while_it_runs(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        bench.make_transient()
        uuid = bench.uuid(PASSING)
        assert set(await trial.hypervisor.domain_info([uuid])) == {uuid}
        await trial.hypervisor.poweroff(uuid)
        assert await trial.hypervisor.domain_info([uuid]) == {}

    bench.run(story)


def test_a_guest_that_is_idle_has_no_job(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        kind = expected(trial, f"job {OF_RUNNING}", None)
        assert await refusal(trial.hypervisor.job(trial.guest)) is kind
        if kind is None:
            assert await trial.hypervisor.job(trial.guest) is None

    bench.run(story)


def test_disks_that_are_idle_have_no_jobs(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        assert await trial.hypervisor.block_jobs(trial.guest) == ()
        aborting = trial.hypervisor.abort_block_job(trial.guest, "vda")
        usual = ErrorKind.FAILED
        assert await refusal(aborting) is expected(trial, f"abort_block_job {OF_RUNNING}", usual)

    bench.run(story)


def test_what_a_running_guest_refuses(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        calls = {
            "start": ErrorKind.WRONG_STATE,
            "unpause": ErrorKind.WRONG_STATE,
            "abort_job": ErrorKind.WRONG_STATE,
            "wake": ErrorKind.FAILED,  # QEMU's own refusal, which libvirt hands on
        }
        for call, usual in calls.items():
            kind = await refusal(getattr(trial.hypervisor, call)(trial.guest))
            assert (call, kind) == (call, expected(trial, f"{call} {OF_RUNNING}", usual))

    bench.run(story)


def test_without_an_agent_nothing_is_asked_of_it(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        hypervisor, guest = trial.hypervisor, trial.guest
        asked = await refusal(hypervisor.request_shutdown(guest, Method.AGENT))
        assert asked is ErrorKind.UNSUPPORTED
        told = await refusal(hypervisor.set_time(guest, 1_800_000_000.5))
        assert told is expected(trial, "set_time without an agent", ErrorKind.UNSUPPORTED)
        assert (await trial.facts()).state is State.RUNNING

    bench.run(story)


def test_without_an_agent_there_is_none_to_answer(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        pinged = await refusal(trial.hypervisor.ping_agent(trial.guest))
        assert pinged is ErrorKind.UNSUPPORTED
        assert await refusal(trial.hypervisor.ping_agent(UNKNOWN)) is ErrorKind.NO_GUEST

    bench.run(story)


def test_a_guest_without_a_network_has_no_address(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        assert await trial.hypervisor.addresses(trial.guest) == ()
        assert await refusal(trial.hypervisor.addresses(UNKNOWN)) is ErrorKind.NO_GUEST
        await trial.off()
        assert await refusal(trial.hypervisor.addresses(trial.guest)) is ErrorKind.WRONG_STATE

    bench.run(story)


def test_whether_it_starts_anew_can_be_set(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        usual = expected(trial, f"set_restarts {OF_RUNNING}", None)
        for restarts in (True, False):
            setting = trial.hypervisor.set_restarts(trial.guest, restarts=restarts)
            assert await refusal(setting) is usual

    bench.run(story)


def test_unpause_lets_it_run(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.pause(trial.guest)
        await trial.heard(EventKind.SUSPENDED)
        await trial.hypervisor.unpause(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason) == (State.RUNNING, "unpaused")
        await trial.heard(EventKind.RESUMED)

    bench.run(story)


def test_poweroff_pulls_the_plug(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        await trial.hypervisor.poweroff(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason) == (State.SHUT_OFF, "destroyed")
        assert (await trial.heard(EventKind.STOPPED)).detail == "destroyed"

    bench.run(story)


def test_what_a_guest_that_is_off_refuses(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        hypervisor, guest = trial.hypervisor, trial.guest
        calls = {
            "poweroff": hypervisor.poweroff(guest),
            "unpause": hypervisor.unpause(guest),
            "request_shutdown": hypervisor.request_shutdown(guest, Method.ACPI),
            "save": hypervisor.save(guest, bypass_cache=False),
            "job": hypervisor.job(guest),
        }
        for name, call in calls.items():
            usual = expected(trial, f"{name} {OF_OFF}", ErrorKind.WRONG_STATE)
            assert (name, await refusal(call)) == (name, usual)

    bench.run(story)


def test_a_renamed_guest_is_the_same_guest(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        bench.rename(trial.guest, "renamed")
        assert (await trial.facts()).name == "renamed"
        bench.rename(trial.guest, NAME)
        assert (await trial.facts()).name == NAME

    bench.run(story)


# -- its own settings ----------------------------------------------------------------------------


def given(**settings: str) -> PolicyChange:
    """These settings, in place of what there was of them."""
    return PolicyChange(tuple(map(OwnSetting, settings, settings.values())), frozenset(settings))


NOTHING = PolicyChange(afresh=True)


async def policy_of(trial: Trial, uuid: str = "") -> dict[str, str]:
    """The settings that the guest's XML gives."""
    guest = uuid or trial.guest
    return dict((await trial.hypervisor.domain_info([guest]))[guest].policy)


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "off"])
def test_its_own_settings_are_changed(bench: Bench, is_up: bool) -> None:
    async def story(trial: Trial) -> None:
        await (trial.on() if is_up else trial.off())
        change, guest = trial.hypervisor.change_policy, trial.guest
        assert await change(guest, given(save="none", after='<db-*> "é"')) == ""
        assert await policy_of(trial) == {"save": "none", "after": '<db-*> "é"'}
        assert await change(guest, given(save="all", retries="3")) == ""
        assert await policy_of(trial) == {"after": '<db-*> "é"', "save": "all", "retries": "3"}
        assert await change(guest, PolicyChange(taken=frozenset({"after", "save", "order"}))) == ""
        assert await policy_of(trial) == {"retries": "3"}
        assert await change(guest, NOTHING) == ""
        assert await policy_of(trial) == {}

    bench.run(story)


def test_settings_that_would_not_be_read_are_not_written(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        guest = trial.guest
        await trial.hypervisor.change_policy(guest, given(retries="3"))
        refused = await trial.hypervisor.change_policy(guest, given(after="a" * (MOST + 1)))
        assert f"more than {MOST}" in refused
        assert await policy_of(trial) == {"retries": "3"}
        assert await refusal(trial.hypervisor.change_policy(UNKNOWN, NOTHING)) is ErrorKind.NO_GUEST
        assert await trial.hypervisor.change_policy(guest, NOTHING) == ""

    bench.run(story)


def test_those_of_a_transient_guest_are_of_this_life(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        bench.make_transient()
        uuid = bench.uuid(PASSING)
        assert await trial.hypervisor.change_policy(uuid, given(save="none")) == ""
        assert await policy_of(trial, uuid) == {"save": "none"}
        await trial.hypervisor.poweroff(uuid)

    bench.run(story)


def test_that_settings_were_changed_is_heard(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        heard = asyncio.Event()
        trial.hypervisor.listen_around(heard.set)
        await trial.hypervisor.change_policy(trial.guest, given(save="none"))
        async with asyncio.timeout(LIMIT):
            await heard.wait()
        assert await trial.hypervisor.change_policy(trial.guest, NOTHING) == ""

    bench.run(story)


# -- guests come and go --------------------------------------------------------------------------


def test_a_transient_guest_cannot_be_saved_and_is_gone_when_down(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        bench.make_transient()
        uuid = bench.uuid(PASSING)
        facts = await trial.hypervisor.observe(uuid)
        assert facts is not None
        assert (facts.persistent, facts.autostart, facts.saved) == (False, False, False)
        saved = await refusal(trial.hypervisor.save(uuid, bypass_cache=False))
        assert saved is ErrorKind.WRONG_STATE
        await trial.hypervisor.poweroff(uuid)
        assert await trial.hypervisor.observe(uuid) is None
        assert (await trial.heard(EventKind.STOPPED, uuid)).detail == "destroyed"

    bench.run(story)


def test_undefining_a_running_guest_makes_it_transient(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.undefine(trial.guest)
        facts = await trial.facts()
        assert (facts.up, facts.persistent) == (True, False)
        assert (await trial.heard(EventKind.UNDEFINED)).detail == "removed"
        bench.define()
        assert (await trial.facts()).persistent

    bench.run(story)
