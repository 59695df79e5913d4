"""Who stopped a guest, and what comes of it, by the service in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import General, UserShutdown
from guestctl.model.guest import State
from guestctl.model.options import UserAction
from guestctl.model.record import Wanted
from guestctl.model.result import Trigger
from guestctl.model.stop import Certainty, How, StoppedBy
from guestctl.service.restarts import CALM, MOST_PAUSE, PAUSE
from tests.ledgers import hold

from .sim.behaviour import IGNORED_BUTTON, Abort, Agent, Behaviour, Button, GuestSpec, Save, Start
from .sim.service import ServedHost, tell

SYSTEM, CONTAINERS = "qemu:///system", "lxc:///system"
#: Longer than the service has to listen before it is sure.
LONG = 400.0
SETTLED = 200.0


def guest(name: str, *, autostart: bool = False, **behaviour: object) -> GuestSpec:
    """A guest that runs and behaves as told."""
    told = replace(Behaviour(), **behaviour)  # type: ignore[arg-type]  # by name
    return GuestSpec(name, autostart=autostart, behaviour=told)


A = [guest("a"), guest("b")]
RESTARTED = Config(user_shutdown=UserShutdown(UserAction.RESTART))
IGNORED = Config(user_shutdown=UserShutdown(UserAction.IGNORE))

DEEDS = [
    ("powers itself off", StoppedBy.USER, How.SHUT_DOWN),
    ("is asked to shut down", StoppedBy.ADMINISTRATOR, How.SHUT_DOWN),
    ("is destroyed", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("gets SIGTERM", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("gets SIGKILL", StoppedBy.CRASH, How.CRASHED),
    ("crashes", StoppedBy.CRASH, How.CRASHED),
    ("is saved", StoppedBy.ADMINISTRATOR, How.SAVED),
    ("is reverted", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("hibernates", StoppedBy.USER, How.HIBERNATED),
    ("migrates away", StoppedBy.MOVED, How.MOVED),
]


@pytest.mark.parametrize(("deed", "who", "how"), DEEDS)
def test_verdicts_are_written_down(deed: str, who: StoppedBy, how: How) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen(f"a {deed}")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.how, record.certainty) == (who, how, Certainty.OBSERVED)
        assert record.wanted is (Wanted.ON if who is StoppedBy.CRASH else Wanted.OFF)
        (line,) = host.sim.ledger.trail.of(record.id)
        assert (line.source, line.reason.split(" (")[1][:8]) == ("guestctl:watch", "observed")

    tell(story, A)


def test_a_driver_without_monitor() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        host.happen("b is destroyed")
        await asyncio.sleep(10)
        user, admin = host.record("a"), host.record("b")
        assert (user.stopped_by, user.certainty) == (StoppedBy.USER, Certainty.LIKELY)
        assert (admin.stopped_by, admin.certainty) == (StoppedBy.ADMINISTRATOR, Certainty.LIKELY)

    containers = [replace(one, uri=CONTAINERS) for one in A]
    tell(story, containers, Config(general=General(uris=(CONTAINERS,))))


def test_the_first_minutes_leave_a_doubt() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(10)
        host.happen("a powers itself off")
        host.happen("b is asked to shut down")
        await asyncio.sleep(10)
        user, admin = host.record("a"), host.record("b")
        assert (user.stopped_by, user.certainty) == (StoppedBy.USER, Certainty.LIKELY)
        assert (admin.stopped_by, admin.certainty) == (StoppedBy.ADMINISTRATOR, Certainty.OBSERVED)

    tell(story, A)


def test_an_outage_of_libvirt_forgets_what_was_asked() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a is asked to shut down")
        await asyncio.sleep(5)
        host.happen(f"{SYSTEM} is lost for 2s")
        await asyncio.sleep(10)
        host.happen("a powers itself off")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.LIKELY)

    tell(story, [guest("a", button=IGNORED_BUTTON)])


def test_a_command_that_looks_first_can_only_guess_and_the_service_knows_better() -> None:
    """And the settle time counts all the same."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await host.preserve("b")  # in the same moment: the service has not looked yet
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.OBSERVED)
        assert (record.wanted, record.settling) == (Wanted.OFF, host.sim.boot_id)

    tell(story, A)


def test_a_rename_is_seen_at_once() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(SETTLED)
        host.happen("a is renamed to z")
        await asyncio.sleep(5)
        record = host.record_named("z")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.USER)

    tell(story, A)


# -- settle ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deed", "who", "how"), [d for d in DEEDS if d[1] is not StoppedBy.MOVED])
def test_a_stop_that_the_hosts_end_follows_comes_back(deed: str, who: StoppedBy, how: How) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen(f"a {deed}")
        await asyncio.sleep(20)
        await host.stop_units()
        assert host.record("a").wanted is Wanted.ON
        await host.boot()
        assert host.up == "a b"

    tell(story, A)


def test_cancelled_whoever_stopped_it_has_stopped_it_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(10)
        host.announce()
        await host.until_idle()
        assert host.record("a").stopped_by is StoppedBy.HOST
        host.cancel_shutdown()
        await asyncio.sleep(60)
        record = host.record("a")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.USER)
        assert record.certainty is Certainty.OBSERVED
        assert host.up == "b"

    tell(story, A)


def test_the_settle_time_ends_while_a_cancelled_run_is_ended() -> None:
    """A save that is aborted slowly keeps the run from its end meanwhile."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(112)
        host.announce()
        await asyncio.sleep(5)
        host.cancel_shutdown()
        await asyncio.sleep(120)
        assert (host.record("a").wanted, host.up) == (Wanted.OFF, "b")

    tell(story, [guest("a"), guest("b", save=Save(90.0, abort=Abort.REFUSED))])


def test_a_request_that_was_cut_off_long_ago_is_nobodys() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        operators = asyncio.create_task(host.preserve("a"))
        await asyncio.sleep(3)
        assert host.operators
        host.operators.process.kill()
        operators.cancel()
        await asyncio.wait([operators])
        await asyncio.sleep(3 * 86400)
        host.happen("a powers itself off")
        await asyncio.sleep(SETTLED)
        record = host.record("a")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.USER)

    tell(
        story, [guest("a", button=IGNORED_BUTTON, save=Save(5.0, fails="no")), guest("b")], most=1e6
    )


@pytest.mark.parametrize("away", [5.0, 1000.0])
def test_a_stop_while_the_service_is_away(away: float) -> None:
    """Shortly: it may be the host's doing.  For long: it was meant."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.terminate()
        host.happen("a powers itself off")
        host.happen("b crashes")
        await asyncio.sleep(away)
        await host.serve(5)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.UNKNOWN, Certainty.INFERRED)
        assert (record.settling is not None) is (away < 60)
        assert host.record("b").wanted is Wanted.ON
        await host.stop_units()
        await host.boot()
        assert host.up == ("a b" if away < 60 else "b")

    tell(story, A)


# -- what a user's shutdown leads to ---------------------------------------------------------------


def test_a_kiosk_is_started_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(PAUSE - 1)
        assert host.up == "b"
        await asyncio.sleep(5)
        assert host.up == "a b"
        assert host.runs()[-1] == ("restore", Trigger.USER_SHUTDOWN, True)

    tell(story, A, RESTARTED)


@pytest.mark.parametrize(
    "deed", ["is asked to shut down", "is destroyed", "crashes", "is saved", "migrates away"]
)
def test_only_users_shutdowns_are_undone(deed: str) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen(f"a {deed}")
        await asyncio.sleep(LONG)
        assert host.up == "b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("after", [0, 10])
def test_a_kiosk_that_goes_off_at_once_is_started_ever_more_rarely(after: int) -> None:
    """After 0 s each start looks as if it had failed, and is tried again."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + 3600:
            if host.guest("a").state is State.RUNNING:
                await asyncio.sleep(after)
                host.happen("a powers itself off")
            await asyncio.sleep(1)
        assert 10 <= host.began("a") <= (3600 / MOST_PAUSE + 10) * (1 if after else 4)
        await asyncio.sleep(MOST_PAUSE + CALM)
        assert host.up == "a b"
        began = host.began("a")
        host.happen("a powers itself off")
        await asyncio.sleep(PAUSE + 5)
        assert host.began("a") == began + 1

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("killed", [True, False])
def test_a_start_that_is_owed_survives_the_service(killed: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(1)
        if killed:
            host.kill()
            await host.serve(15)
        else:
            await host.restart(15)
        assert host.up == "a b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("seconds", [1.0, PAUSE + 1])
def test_no_kiosk_is_started_while_the_host_goes_down(seconds: float) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(seconds)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await asyncio.sleep(60)
        await host.stop_units()
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, [guest("a", start=Start(20.0)), guest("b")], RESTARTED)


def test_a_kiosk_that_an_operator_shuts_down_meanwhile_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(2)
        await host.shut_down("a")
        await asyncio.sleep(60)
        assert host.up == "b"
        assert host.record("a").stopped_by is StoppedBy.OPERATOR

    tell(story, A, RESTARTED)


def test_a_held_kiosk_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        hold(host.sim.ledger, host.guest("a").facts, "being cleaned")
        host.happen("a powers itself off")
        await asyncio.sleep(60)
        assert host.up == "b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("deed", ["powers itself off", "is destroyed"])
def test_ignored_the_flag_alone_counts_at_the_next_boot(deed: str) -> None:
    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(LONG)
        for name in ("a", "flagged"):
            host.happen(f"{name} {deed}")
        await asyncio.sleep(SETTLED)
        assert host.up == "b"
        await host.stop_units()
        await host.boot()
        assert host.up == "b flagged"

    tell(story, [*A, guest("flagged", autostart=True)], IGNORED)


def test_policy_is_each_guests_own() -> None:
    config = Config(guests=(GuestOverride("a", {"action": UserAction.RESTART}),))

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        host.happen("b powers itself off")
        await asyncio.sleep(60)
        assert host.up == "a"

    tell(story, A, config)


def test_through_the_agent_it_looks_like_the_users() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a is started")
        await asyncio.sleep(10)
        host.happen("a is asked through its agent")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.LIKELY)

    off = GuestSpec("a", state=State.SHUT_OFF, behaviour=Behaviour(agent=Agent.WORKS))
    tell(story, [off])


CONNECTED = """<devices><channel type='unix'>
<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel></devices>"""


def test_an_agent_that_was_connected_before_the_service_began_counts_as_well() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.LIKELY)

    tell(story, [replace(guest("a"), xml=CONNECTED)])


# -- an operator's word ----------------------------------------------------------------------------


def test_an_operators_shutdown_that_the_hosts_end_overtakes_stays_one() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        operators = asyncio.create_task(host.shut_down("a"))
        await asyncio.sleep(3)
        host.announce()
        await host.told_to_end.wait()
        operators.cancel()
        await asyncio.wait([operators])
        await host.until_idle()
        await host.stop_units()
        assert host.up == ""
        assert (host.record("a").wanted, host.record("b").wanted) == (Wanted.OFF, Wanted.ON)
        assert host.record("a").stopped_by is StoppedBy.OPERATOR
        await host.boot()
        assert host.up == "b"

    tell(story, [guest("a", button=Button(80.0)), guest("b")])


def test_an_operators_request_that_is_followed_late_was_the_operators() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        operators = asyncio.create_task(host.shut_down("a"))
        await asyncio.sleep(3)
        operators.cancel()
        await asyncio.wait([operators])
        await asyncio.sleep(LONG)
        record = host.record("a")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.OPERATOR)

    tell(story, [guest("a", button=Button(60.0)), guest("b")])
