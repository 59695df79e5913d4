"""What is heard of guests is kept until it was dealt with, and no longer."""

from __future__ import annotations

from dataclasses import replace

from guestctl.model.event import EventKind, GuestEvent
from guestctl.service.event_history import EventHistory
from tests.unit.makers import guest_id

GUEST = guest_id()
STOPPED = GuestEvent(GUEST, "web", EventKind.STOPPED, "destroyed")
STARTED = GuestEvent(GUEST, "web", EventKind.STARTED, "booted")
AGENT = GuestEvent(GUEST, "web", EventKind.AGENT, "connected")


def listening() -> EventHistory:
    """One that listens."""
    made = EventHistory()
    made.begin(7.0, monitored=True)
    return made


def test_a_stop_is_told_until_it_was_dealt_with() -> None:
    history = listening()
    assert history.of_stop(GUEST) is None
    history.add(STOPPED)
    heard = history.of_stop(GUEST)
    assert heard is not None
    assert (heard.events, heard.since, heard.monitored) == ((STOPPED,), 7.0, True)
    history.dealt_with(GUEST, heard)
    assert history.of_stop(GUEST) is None


def test_what_came_while_a_stop_was_dealt_with_is_kept() -> None:
    history = listening()
    history.add(STOPPED)
    heard = history.of_stop(GUEST)
    assert heard is not None
    for event in (STARTED, AGENT):
        history.add(event)
    history.dealt_with(GUEST, heard)
    history.add(STOPPED)
    later = history.of_stop(GUEST)
    assert later is not None
    assert later.events == (AGENT, STOPPED)


def test_it_is_told_when_the_life_began_that_ended() -> None:
    history = listening()
    for event in (replace(STARTED, at=8.0), STOPPED):
        history.add(event)
    first = history.of_stop(GUEST)
    assert first is not None
    assert first.started == 8.0
    history.dealt_with(GUEST, first)
    history.add(STOPPED)
    unheard = history.of_stop(GUEST)
    assert unheard is not None
    assert unheard.started is None


def test_an_outage_forgets_everything() -> None:
    history = listening()
    history.add(STOPPED)
    history.end()
    assert history.of_stop(GUEST) is None
    history.begin(9.0, monitored=False)
    assert history.of_stop(GUEST) is None


def test_a_guest_that_is_gone_is_forgotten() -> None:
    history = listening()
    history.add(STOPPED)
    history.forget(GUEST)
    assert history.of_stop(GUEST) is None


UNDEFINED = GuestEvent(GUEST, "web", EventKind.UNDEFINED, "removed")
DEFINED = GuestEvent(GUEST, "web", EventKind.DEFINED, "added")


def test_what_was_read_before_an_undefine_does_not_undo_it() -> None:
    """`virsh destroy` and `virsh undefine`: the stop is being judged as the second is heard of."""
    history = listening()
    history.add(STOPPED)
    history.add(UNDEFINED)
    history.seen_defined(GUEST)
    assert history.was_undefined(GUEST)
    history.add(DEFINED)
    assert not history.was_undefined(GUEST)


def test_after_events_were_missed_what_is_seen_counts() -> None:
    history = listening()
    history.add(UNDEFINED)
    history.end()
    history.begin(9.0, monitored=True)
    assert history.was_undefined(GUEST)
    history.seen_defined(GUEST)
    assert not history.was_undefined(GUEST)
    history.add(UNDEFINED)
    history.seen_defined(GUEST)
    assert history.was_undefined(GUEST)
