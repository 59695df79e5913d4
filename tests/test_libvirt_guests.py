"""libvirt-guests.service is stopped by itself: nobody turned off the guests that it takes down."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.model.record import Wanted
from guestctl.model.stop import Certainty, How, StoppedBy
from tests.served import LONG, A, guest, off
from tests.sim.behaviour import Button
from tests.sim.service import ServedHost, tell

NOBODY: frozenset[str] = frozenset()


def verdict(host: ServedHost, name: str) -> tuple[StoppedBy | None, How | None, Certainty | None]:
    record = host.record(name)
    return record.stopped_by, record.how, record.certainty


@pytest.mark.parametrize(
    ("deed", "how"), [("is asked to shut down", How.SHUT_DOWN), ("is saved", How.SAVED)]
)
def test_its_guests_come_back_at_the_next_boot_and_not_before(deed: str, how: How) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.rival.take_down("a", "b", deed=deed)
        await asyncio.sleep(LONG)
        by_it = (StoppedBy.LIBVIRT_GUESTS, how, Certainty.LIKELY)
        assert (verdict(host, "a"), verdict(host, "b")) == (by_it, by_it)
        assert host.said("a: libvirt-guests took it down as it was stopped: the next boot starts")
        await host.restart(60)
        assert (host.up, host.wanted) == ("", "a b")
        await host.boot()
        assert host.up == "a b"
        assert host.calls("start") == ["start a", "start b"]

    tell(story, A)


def test_what_somebody_does_after_it_is_the_newest_word() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.rival.take_down("a", "b")
        await asyncio.sleep(10)
        host.happen("a is started")
        host.happen("b is started")
        await asyncio.sleep(10)
        host.happen("a is asked to shut down")
        host.happen("b powers itself off")
        await asyncio.sleep(10)
        assert host.record("a").stopped_by is StoppedBy.ADMINISTRATOR
        assert host.record("b").stopped_by is StoppedBy.USER
        assert host.wanted == ""

    tell(story, A)


def test_whoever_it_did_not_list_was_turned_off_by_somebody_else() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        taking = asyncio.create_task(host.rival.take_down("a"))
        host.happen("b is asked to shut down")
        await taking
        await asyncio.sleep(10)
        assert (host.wanted, host.record("b").stopped_by) == ("a", StoppedBy.ADMINISTRATOR)

    tell(story, A)


def test_its_user_was_quicker() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        taking = asyncio.create_task(host.rival.take_down("a", "b"))
        host.happen("b powers itself off")
        await taking
        await asyncio.sleep(10)
        assert (host.wanted, host.record("b").stopped_by) == ("a", StoppedBy.USER)

    tell(story, [guest("a", button=Button(20.0)), guest("b")])


def test_while_guestctl_was_away() -> None:
    """And whom it has seen up after that was turned off by somebody else."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.terminate()
        await host.rival.take_down("a", "b")
        host.happen("b is started")
        await host.serve(30)
        assert verdict(host, "a") == (
            StoppedBy.LIBVIRT_GUESTS,
            How.SHUT_DOWN,
            Certainty.INFERRED,
        )
        assert host.wanted == "a b"
        await host.terminate()
        await asyncio.sleep(30)
        host.happen("b is asked to shut down")
        await asyncio.sleep(30)
        await host.serve(30)
        assert (host.wanted, host.record("b").stopped_by) == ("a", StoppedBy.UNKNOWN)

    tell(story, A)


def test_whoever_a_command_has_started_since_was_turned_off_by_somebody_else() -> None:
    """Also where its end was not seen: it was another life of the guest."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.terminate()
        await host.rival.take_down("a", "b")
        await asyncio.sleep(60)
        await host.start_by_hand("a")
        await asyncio.sleep(60)
        host.happen("a powers itself off")
        await asyncio.sleep(60)
        await host.serve(30)
        assert (host.wanted, host.record("a").stopped_by) == ("b", StoppedBy.UNKNOWN)

    tell(story, A)


def test_before_guestctl_was_ever_switched_on() -> None:
    """It is switched on in the midst of the day: it starts nobody, and the next boot does."""

    async def story(host: ServedHost) -> None:
        host.ours = NOBODY
        await host.rival.take_down("a", "b")
        await host.serve(120)
        assert (host.up, host.wanted) == ("", "a b")
        assert host.runs() == [("restore", "switched-on", True)]
        assert "never" not in host.wanted
        host.ours = None
        await host.boot()
        assert host.up == "a b"

    tell(story, [*A, off("never")])


def test_switched_on_in_mid_day_it_was_there_from_then_on() -> None:
    """Whoever it has seen up since was turned off by somebody else, while it was restarted."""

    async def story(host: ServedHost) -> None:
        host.ours = NOBODY
        await host.rival.take_down("a", "b")
        await host.serve(120)
        host.happen("a is started")
        await asyncio.sleep(30)
        await host.terminate()
        host.happen("a powers itself off")
        await host.serve(30)
        assert (host.wanted, host.record("a").stopped_by) == ("b", StoppedBy.UNKNOWN)

    tell(story, A)


def test_known_from_an_earlier_boot_only() -> None:
    """Wanted off in that one, it was started since: its list says so."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("b is asked to shut down")
        await asyncio.sleep(LONG)
        await host.terminate()
        host.cut_power()
        host.ours = NOBODY
        host.happen("a is started")
        host.happen("b is started")
        await asyncio.sleep(10)
        await host.rival.take_down("a", "b")
        await host.serve(120)
        assert (host.up, host.wanted) == ("", "a b")

    tell(story, A)


def test_a_list_of_an_earlier_boot_says_nothing() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        await host.terminate()
        await host.rival.take_down("a")
        host.cut_power()
        host.ours = NOBODY
        await host.serve(120)
        assert host.record("a").wanted is Wanted.OFF

    tell(story, A)


def test_a_preserve_of_ours_is_ours() -> None:
    """The host stops: guestctl is first, and it finds nobody up."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        taking = asyncio.create_task(host.rival.take_down("a"))
        await host.stop_units()
        await taking
        assert host.record("b").stopped_by is StoppedBy.HOST
        await host.boot()
        assert host.up == "a b"

    tell(story, A)
