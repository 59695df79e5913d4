"""Who stopped a guest, how, and how sure that is.  Pure.

What QEMU and libvirt really send, and why the rules are as they are:
docs/explanation/who-stopped-a-guest.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..model.event import EventKind, GuestEvent
from ..model.plan import Step
from ..model.stop import Certainty, Heard, How, Intent, StoppedBy, Verdict

#: A guest that does what it is asked to does it within a minute; later its user may have done it.
PROMPT = 60.0

#: libvirt's words for a guest that is off and that nobody turned off.
CRASHES = ("crashed", "failed", "daemon")


def remember(events: tuple[GuestEvent, ...], event: GuestEvent) -> tuple[GuestEvent, ...]:
    """The events that count once this one was heard; never more than a few.

    A guest that begins to run has no past, and after a reset no request counts any more: QEMU
    sends one for each reboot, too.
    """
    if event.kind is EventKind.STARTED and event.detail != "wakeup":
        return ()
    if event.kind is EventKind.MONITOR and event.detail == "RESET":
        return tuple(heard for heard in events if heard.kind is EventKind.AGENT)
    if not _counts(event) or _is_late_request(events, event):
        return events
    return (*(heard for heard in events if _sort(heard) != _sort(event)), event)


def _counts(event: GuestEvent) -> bool:
    if event.kind is EventKind.AGENT:
        # It is disconnected as the guest shuts down: that it was there is what counts.
        return event.detail == "connected"
    return event.kind in (EventKind.MONITOR, EventKind.STOPPED)


def _is_late_request(events: tuple[GuestEvent, ...], event: GuestEvent) -> bool:
    """Whether somebody asks for what the guest has done already."""
    return event.detail == "POWERDOWN" and any(map(_is_guests_end, events))


def _is_guests_end(event: GuestEvent) -> bool:
    return event.detail == "SHUTDOWN" and event.by_guest


def _sort(event: GuestEvent) -> tuple[EventKind, str, bool]:
    return event.kind, event.detail, event.by_guest


def is_stop(event: GuestEvent) -> bool:
    """Whether libvirt says that no machine is left of the guest."""
    return event.kind is EventKind.STOPPED


@dataclass(frozen=True)
class _Case:
    reason: str
    heard: Heard | None
    intent: Intent | None
    window: float

    @property
    def certainty(self) -> Certainty:
        """Of what libvirt says in so many words."""
        if self.heard is None:
            return Certainty.INFERRED
        return Certainty.OBSERVED if self.heard.monitored else Certainty.LIKELY

    def of_monitor(self, name: str) -> Iterator[GuestEvent]:
        """The events of QEMU's monitor with this name."""
        for event in self.heard.events if self.heard else ():
            if event.kind is EventKind.MONITOR and event.detail == name:
                yield event

    @property
    def end(self) -> GuestEvent | None:
        """That the guest shut itself down, whoever had asked it to."""
        return next((event for event in self.of_monitor("SHUTDOWN") if event.by_guest), None)

    @property
    def was_asked_just_before(self) -> bool:
        """Whether it stopped so soon after a request that it was meant to be off."""
        stops = [event for event in self.heard.events if is_stop(event)] if self.heard else []
        return any(
            stops[-1].at - request.at <= PROMPT for request in self.of_monitor("POWERDOWN") if stops
        )

    def is_too_old(self, request: GuestEvent) -> bool:
        """Whether the guest shut itself down so much later that this was not the cause."""
        return self.end is not None and self.end.at - request.at > self.window


def verdict(
    reason: str, heard: Heard | None = None, intent: Intent | None = None, window: float = 300.0
) -> Verdict:
    """Who stopped a guest that is off now.

    reason: libvirt's word for why it is off.  heard: None where nobody listened.
    window: how long a request to shut down counts, in seconds.
    """
    case = _Case(_why_off(reason, heard), heard, intent, window)
    return next(found for rule in _RULES if (found := rule(case)) is not None)


def _why_off(reason: str, heard: Heard | None) -> str:
    """libvirt's word: its event's, which tells more than what the guest's state keeps.

    Of a container that was destroyed libvirt 12.8 can also tell, before or after that, that it
    failed; its state is true then.
    """
    told = [event.detail for event in heard.events if is_stop(event)] if heard else []
    return told[-1] if told and (told[-1] != "failed" or reason != "destroyed") else reason


def _moved(case: _Case) -> Verdict | None:
    if case.reason != "migrated":
        return None
    evidence = "it was migrated to another host"
    return Verdict(StoppedBy.MOVED, How.MOVED, case.certainty, (evidence,))


def _crashed(case: _Case) -> Verdict | None:
    evidence = _crash(case)
    if evidence is None:
        return None
    if case.reason in CRASHES and case.was_asked_just_before:
        asked = "its power button was pressed just before"
        return Verdict(StoppedBy.ADMINISTRATOR, How.CRASHED, Certainty.LIKELY, (evidence, asked))
    return Verdict(StoppedBy.CRASH, How.CRASHED, case.certainty, (evidence,))


def _crash(case: _Case) -> str | None:
    if case.reason in CRASHES:
        panics = "".join("the guest panicked, and " for _ in case.of_monitor("GUEST_PANICKED"))
        return f'{panics}libvirt says "{case.reason}"'
    if case.reason != "shutdown":
        return None
    for event in case.of_monitor("WATCHDOG"):  # which can press the button as well
        if event.cause in ("shutdown", "poweroff") and not case.is_too_old(event):
            return f"its watchdog ended it ({event.cause})"
    for event in case.of_monitor("SHUTDOWN"):
        if event.cause in ("guest-panic", "host-error"):
            return f"QEMU ended ({event.cause})"
    return None


def _ours(case: _Case) -> Verdict | None:
    if case.intent is None or not case.intent.steps or not case.intent.explains(case.reason):
        return None
    steps = ", ".join(step for step in Step if step in case.intent.steps)
    evidence = f'guestctl had begun to take it down ({steps}), and libvirt says "{case.reason}"'
    return Verdict(case.intent.by, _HOW.get(case.reason), case.certainty, (evidence,))


_HOW = {"shutdown": How.SHUT_DOWN, "destroyed": How.POWERED_OFF, "saved": How.SAVED}
#: What only a client of libvirt brings about.
_BY_ADMINISTRATOR = {
    "destroyed": (How.POWERED_OFF, "somebody had libvirt pull its plug"),
    "saved": (How.SAVED, "somebody had libvirt save it"),
    "from snapshot": (How.POWERED_OFF, "it was reverted to a snapshot of when it was off"),
}


def _through_libvirt(case: _Case) -> Verdict | None:
    if case.reason not in _BY_ADMINISTRATOR:
        return None
    how, evidence = _BY_ADMINISTRATOR[case.reason]
    return Verdict(StoppedBy.ADMINISTRATOR, how, case.certainty, (evidence,))


def _on_request(case: _Case) -> Verdict | None:
    """An administrator pressed its power button, and it did as it was asked to."""
    end, request = case.end, _request(case)
    if end is None or request is None or case.is_too_old(request):
        return None
    since = end.at - request.at
    certainty = Certainty.OBSERVED if since <= PROMPT else Certainty.LIKELY
    how = How.HIBERNATED if any(case.of_monitor("SUSPEND_DISK")) else How.SHUT_DOWN
    evidence = f"the guest shut itself down {since:.0f} s after its power button was pressed"
    return Verdict(StoppedBy.ADMINISTRATOR, how, certainty, (evidence,))


def _request(case: _Case) -> GuestEvent | None:
    return next(case.of_monitor("POWERDOWN"), None)


def _of_itself(case: _Case) -> Verdict | None:
    end = case.end
    if end is None:
        return None
    doubts = tuple(_doubts(case, end))
    certainty = Certainty.LIKELY if doubts else Certainty.OBSERVED
    if any(case.of_monitor("SUSPEND_DISK")):
        how, evidence = How.HIBERNATED, "the guest suspended itself to its disk"
    else:
        how, evidence = How.SHUT_DOWN, "the guest shut itself down, its power button not pressed"
    return Verdict(StoppedBy.USER, how, certainty, (evidence, *doubts))


def _doubts(case: _Case, end: GuestEvent) -> Iterator[str]:
    """What else may have made it do so."""
    assert case.heard is not None
    if request := _request(case):
        yield f"a press {end.at - request.at:.0f} s before does not count any more"
    elif end.at - case.heard.since < case.window:
        yield "a press before guestctl listened may have been the cause"
    if any(event.kind is EventKind.AGENT for event in case.heard.events):
        yield "its guest agent may have been asked, which nothing tells"


def _by_signal(case: _Case) -> Verdict | None:
    """QEMU was told to end, by a signal or on its monitor, and says so before libvirt does."""
    for event in case.of_monitor("SHUTDOWN") if case.reason == "shutdown" else ():
        evidence = f"QEMU was told to end ({event.cause}), the guest was not asked"
        who = StoppedBy.ADMINISTRATOR
        return Verdict(who, How.POWERED_OFF, Certainty.OBSERVED, (evidence,))
    return None


def _without_monitor(case: _Case) -> Verdict | None:
    if case.reason != "shutdown" or case.heard is None or case.heard.monitored:
        return None
    evidence = "it shut down; its driver does not tell whether somebody had asked it to"
    return Verdict(StoppedBy.USER, How.SHUT_DOWN, Certainty.LIKELY, (evidence,))


def _not_known(case: _Case) -> Verdict:
    certainty = Certainty.INFERRED if case.heard is None else Certainty.LIKELY
    evidence = f'libvirt says "{case.reason}", and nothing tells who brought that about'
    return Verdict(StoppedBy.UNKNOWN, _HOW.get(case.reason), certainty, (evidence,))


#: The first that has something to say decides.
_RULES: tuple[Callable[[_Case], Verdict | None], ...] = (
    _moved,
    _crashed,
    _ours,
    _through_libvirt,
    _on_request,
    _of_itself,
    _by_signal,
    _without_monitor,
    _not_known,
)
