"""Who stopped a guest, and what comes of it, by the service in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import General, Shutdown
from guestctl.model.options import Scope
from guestctl.model.record import Wanted
from guestctl.model.stop import Certainty, How, StoppedBy

from .served import DEEDS, LONG, SETTLED, A, guest
from .sim.behaviour import IGNORED_BUTTON, Abort, Button, Save
from .sim.service import ServedHost, tell

SYSTEM, CONTAINERS = "qemu:///system", "lxc:///system"


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


@pytest.mark.parametrize("save", [True, False])
def test_a_preserve_that_was_cut_off_takes_it_down_all_the_same(save: bool) -> None:
    """It is the operator's doing still, and it comes back."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        preserving = asyncio.create_task(host.preserve("a"))
        await asyncio.sleep(3)
        assert host.operators
        host.operators.kill()
        await asyncio.sleep(SETTLED)
        record, how = host.record("a"), How.SAVED if save else How.SHUT_DOWN
        assert (record.stopped_by, record.how) == (StoppedBy.OPERATOR, how)
        assert (record.certainty, record.wanted) == (Certainty.OBSERVED, Wanted.ON)
        (line,) = [
            it for it in host.sim.ledger.trail.of(record.id) if "guestctl:watch" in it.source
        ]
        assert line.reason.startswith(f"{how} by an operator (observed): guestctl had begun to")
        await host.boot()
        assert host.up == "a b"
        preserving.cancel()

    without = Config(shutdown=Shutdown(save=Scope.NONE))
    slow = guest("a", save=Save(8.0), button=Button(20.0))
    tell(story, [slow, guest("b")], Config() if save else without)


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


@pytest.mark.thorough
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
