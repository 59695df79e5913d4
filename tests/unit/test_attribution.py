"""Who stopped the guest, by what QEMU and libvirt send."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.attribution import PROMPT, Stop, remember, verdict
from guestctl.model.event import GuestEvent
from guestctl.model.plan import Step
from guestctl.model.stop import Certainty, Heard, How, Intent, StoppedBy, Verdict
from tests.unit.heard import (
    AGENT,
    AGENT_GONE,
    BOOTED,
    PANIC,
    PAUSED,
    PRESSED,
    RESET,
    RESUMED,
    SHUT_ITSELF_DOWN,
    TO_DISK,
    TOLD_TO_END,
    WENT_ON,
    WINDOW,
    WOKEN,
    down,
    heard,
    qemu,
    stopped,
)


def verdict_of(
    reason: str, heard: Heard | None = None, intent: Intent | None = None, window: float = 300.0
) -> Verdict:
    """Of the stop of which libvirt gives this reason."""
    return verdict(Stop(reason, heard, intent, window))


USER, ADMIN = StoppedBy.USER, StoppedBy.ADMINISTRATOR
SURE, LIKELY, INFERRED = Certainty.OBSERVED, Certainty.LIKELY, Certainty.INFERRED

STORIES: dict[str, tuple[Heard, StoppedBy, How, Certainty]] = {
    "poweroff inside": (down(BOOTED), USER, How.SHUT_DOWN, SURE),
    "virsh shutdown": (down(BOOTED, PRESSED), ADMIN, How.SHUT_DOWN, SURE),
    "virsh shutdown, slowly": (down(PRESSED, (200, PAUSED)), ADMIN, How.SHUT_DOWN, LIKELY),
    "pressed again and again": (
        down(PRESSED, (150, PRESSED), (250, PRESSED)),
        ADMIN,
        How.SHUT_DOWN,
        SURE,
    ),
    "ignored, then poweroff within the window": (
        down(PRESSED, (PROMPT + 5, PAUSED)),
        ADMIN,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "ignored, then poweroff after the window": (
        down(PRESSED, (WINDOW + 5, PAUSED)),
        USER,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "ignored, then a reset, then poweroff": (
        down(PRESSED, RESET, RESET),
        USER,
        How.SHUT_DOWN,
        SURE,
    ),
    "virsh reboot, then poweroff": (
        down(PRESSED, SHUT_ITSELF_DOWN, RESET),
        USER,
        How.SHUT_DOWN,
        SURE,
    ),
    "saved and resumed, then poweroff": (down(PRESSED, RESUMED), USER, How.SHUT_DOWN, SURE),
    "woken from its sleep": (down(PRESSED, WOKEN), ADMIN, How.SHUT_DOWN, SURE),
    "paused meanwhile": (down(PRESSED, PAUSED, WENT_ON), ADMIN, How.SHUT_DOWN, SURE),
    "pressed when it had shut itself down": (
        heard(SHUT_ITSELF_DOWN, PRESSED, TOLD_TO_END, stopped("shutdown")),
        USER,
        How.SHUT_DOWN,
        SURE,
    ),
    "with an agent, which may have been asked": (
        down(BOOTED, AGENT, AGENT_GONE),
        USER,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "an agent of before": (down(AGENT, BOOTED), USER, How.SHUT_DOWN, SURE),
    "an agent that went on over a reboot": (down(AGENT, RESET), USER, How.SHUT_DOWN, LIKELY),
    "when guestctl has just begun to listen": (
        down(BOOTED, since=-WINDOW + 10),
        USER,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "the signal alone was missed": (heard(SHUT_ITSELF_DOWN), USER, How.SHUT_DOWN, SURE),
    "hibernated": (down(TO_DISK), USER, How.HIBERNATED, SURE),
    "hibernated by its power button": (down(PRESSED, TO_DISK), ADMIN, How.HIBERNATED, SURE),
    "virsh destroy": (heard(TOLD_TO_END, stopped("destroyed")), ADMIN, How.POWERED_OFF, SURE),
    "virsh destroy of one that is on its way": (
        heard(PRESSED, SHUT_ITSELF_DOWN, stopped("destroyed")),
        ADMIN,
        How.POWERED_OFF,
        SURE,
    ),
    "SIGTERM to QEMU": (heard(TOLD_TO_END, stopped("shutdown")), ADMIN, How.POWERED_OFF, SURE),
    "SIGTERM after an ignored press": (
        heard(PRESSED, TOLD_TO_END, stopped("shutdown")),
        ADMIN,
        How.POWERED_OFF,
        SURE,
    ),
    "quit on QEMU's monitor": (
        heard(qemu("SHUTDOWN", "host-qmp-quit"), stopped("shutdown")),
        ADMIN,
        How.POWERED_OFF,
        SURE,
    ),
    "SIGKILL to QEMU": (heard(stopped("failed")), StoppedBy.CRASH, How.CRASHED, SURE),
    "QEMU gives up": (
        heard(qemu("SHUTDOWN", "host-error"), stopped("shutdown")),
        StoppedBy.CRASH,
        How.CRASHED,
        SURE,
    ),
    "a panic": (heard(PANIC, stopped("crashed")), StoppedBy.CRASH, How.CRASHED, SURE),
    "a panic as it shuts down": (
        heard(PRESSED, PANIC, stopped("crashed")),
        ADMIN,
        How.CRASHED,
        LIKELY,
    ),
    "a panic long after an ignored press": (
        heard(PRESSED, (PROMPT + 5, PANIC), stopped("crashed")),
        StoppedBy.CRASH,
        How.CRASHED,
        SURE,
    ),
    "a panic that QEMU ends": (
        heard(PANIC, qemu("SHUTDOWN", "guest-panic", by_guest=True), stopped("shutdown")),
        StoppedBy.CRASH,
        How.CRASHED,
        SURE,
    ),
    "a panic, then a reset, then poweroff": (down(PANIC, RESET), USER, How.SHUT_DOWN, SURE),
    "a panic that is left as it is, then virsh destroy": (
        heard(PANIC, TOLD_TO_END, stopped("destroyed")),
        ADMIN,
        How.POWERED_OFF,
        SURE,
    ),
    "its watchdog presses the button": (
        down(qemu("WATCHDOG", "shutdown"), PRESSED),
        StoppedBy.CRASH,
        How.CRASHED,
        SURE,
    ),
    "its watchdog did so an hour ago": (
        down(qemu("WATCHDOG", "shutdown"), PRESSED, (3600, PAUSED)),
        USER,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "its watchdog only resets it": (
        down(qemu("WATCHDOG", "reset"), RESET),
        USER,
        How.SHUT_DOWN,
        SURE,
    ),
    "virsh managedsave": (heard(stopped("saved")), ADMIN, How.SAVED, SURE),
    "reverted to a snapshot": (heard(stopped("from snapshot")), ADMIN, How.POWERED_OFF, SURE),
    "migrated away": (heard(stopped("migrated")), StoppedBy.MOVED, How.MOVED, SURE),
    "asked, and migrated away all the same": (
        heard(PRESSED, stopped("migrated")),
        StoppedBy.MOVED,
        How.MOVED,
        SURE,
    ),
    "a container that shut down": (
        heard(stopped("shutdown"), monitored=False),
        USER,
        How.SHUT_DOWN,
        LIKELY,
    ),
    "a container that was destroyed": (
        heard(stopped("destroyed"), monitored=False),
        ADMIN,
        How.POWERED_OFF,
        LIKELY,
    ),
    "a container that failed": (
        heard(stopped("failed"), monitored=False),
        StoppedBy.CRASH,
        How.CRASHED,
        LIKELY,
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    story, who, how, certainty = STORIES[name]
    found = verdict_of("unknown", story, window=WINDOW)
    assert (found.who, found.how, found.certainty) == (who, how, certainty)
    assert all(found.evidence)


UNWATCHED = [
    ("crashed", StoppedBy.CRASH, How.CRASHED),
    ("failed", StoppedBy.CRASH, How.CRASHED),
    ("daemon", StoppedBy.CRASH, How.CRASHED),
    ("migrated", StoppedBy.MOVED, How.MOVED),
    ("destroyed", ADMIN, How.POWERED_OFF),
    ("saved", ADMIN, How.SAVED),
    ("from snapshot", ADMIN, How.POWERED_OFF),
    ("shutdown", StoppedBy.UNKNOWN, How.SHUT_DOWN),
    ("unknown", StoppedBy.UNKNOWN, None),
]


@pytest.mark.parametrize(("reason", "who", "how"), UNWATCHED)
def test_without_anybody_who_listened(reason: str, who: StoppedBy, how: How | None) -> None:
    found = verdict_of(reason)
    assert (found.who, found.how, found.certainty) == (who, how, INFERRED)


OURS = Intent(StoppedBy.OPERATOR, frozenset({Step.SHUTDOWN}))


def test_what_guestctl_had_begun_goes_before_what_it_looks_like() -> None:
    found = verdict_of("shutdown", down(PRESSED), OURS)
    assert (found.who, found.how, found.certainty) == (StoppedBy.OPERATOR, How.SHUT_DOWN, SURE)
    assert verdict_of("shutdown", None, OURS).certainty is INFERRED


@pytest.mark.parametrize("reason", ["destroyed", "saved", "from snapshot"])
def test_an_intent_does_not_explain_what_its_steps_do_not_bring_about(reason: str) -> None:
    assert verdict_of(reason, heard(stopped(reason)), OURS).who is ADMIN
    assert not OURS.explains(reason)
    assert OURS.explains("unknown")


def test_a_crash_is_one_whatever_guestctl_had_begun() -> None:
    assert verdict_of("crashed", heard(PANIC, stopped("crashed")), OURS).who is StoppedBy.CRASH


def test_a_stop_of_which_qemu_said_nothing_is_not_known() -> None:
    found = verdict_of("shutdown", heard(stopped("shutdown")))
    assert (found.who, found.certainty) == (StoppedBy.UNKNOWN, LIKELY)


@pytest.mark.parametrize("told", [["failed"], ["destroyed", "failed"], ["failed", "destroyed"]])
def test_a_container_that_was_destroyed_has_not_failed(told: list[str]) -> None:
    found = verdict_of("destroyed", heard(*map(stopped, told), monitored=False))
    assert (found.who, found.how, found.certainty) == (ADMIN, How.POWERED_OFF, LIKELY)


BY_IT = StoppedBy.LIBVIRT_GUESTS
READ = {
    Verdict(USER, How.SHUT_DOWN, LIKELY, ("it said bye", "nobody asked")): (
        "shut down by its user (likely): it said bye; nobody asked"
    ),
    Verdict(StoppedBy.UNKNOWN, None, INFERRED, ("?",)): "stopped by somebody (inferred): ?",
    Verdict(StoppedBy.CRASH, How.CRASHED, SURE, ("bang",)): "crashed (observed): bang",
    Verdict(StoppedBy.MOVED, How.MOVED, SURE, ("gone",)): "moved (observed): gone",
    Verdict(StoppedBy.HOST, How.SAVED, SURE, ("run",)): "saved by the host (observed): run",
    Verdict(BY_IT, How.SAVED, LIKELY, ("list",)): "saved by libvirt-guests (likely): list",
}


@pytest.mark.parametrize(("says", "line"), READ.items())
def test_a_verdict_reads_as_a_line(says: Verdict, line: str) -> None:
    assert str(says) == line


EVENTS = [
    *(PRESSED, SHUT_ITSELF_DOWN, TOLD_TO_END, RESET, PANIC, TO_DISK, AGENT, AGENT_GONE, BOOTED),
    *(RESUMED, WOKEN, PAUSED, WENT_ON, stopped("shutdown"), stopped("destroyed"), stopped("saved")),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=60))
def test_little_is_remembered_however_long_a_guest_runs(events: list[GuestEvent]) -> None:
    nothing: tuple[GuestEvent, ...] = ()
    assert len(reduce(remember, events, nothing)) <= 10


@given(
    st.lists(st.sampled_from(EVENTS), max_size=12),
    st.none() | st.builds(Heard, since=st.floats(-1e6, 1e6), monitored=st.booleans()),
    st.sampled_from([reason for reason, *_ in UNWATCHED]),
    st.none() | st.just(OURS),
)
def test_there_is_a_verdict_on_whatever_was_heard(
    events: list[GuestEvent], listener: Heard | None, reason: str, intent: Intent | None
) -> None:
    nothing: tuple[GuestEvent, ...] = ()
    kept = reduce(remember, events, nothing)
    story = listener and Heard(kept, listener.since, listener.monitored)
    found = verdict_of(reason, story, intent, WINDOW)
    assert found.evidence
    if story is None:
        assert found.certainty is INFERRED
        assert found.who is not USER
    # An administrator is not blamed for what the guest did of itself.
    asked = {PRESSED.detail} & {event.detail for event in kept}
    if found.who is ADMIN and found.how is How.SHUT_DOWN:
        assert asked
