"""Who stopped a guest, how, and how sure that is.  Pure.

What QEMU and libvirt really send, and why the rules are as they are:
docs/explanation/who-stopped-a-guest.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..model.event import EventKind, GuestEvent
from ..model.plan import Step
from ..model.stop import Certainty, Heard, How, Intent, RivalStop, StoppedBy, Verdict

#: A guest that does what it is asked to does it within a minute; later its user may have done it.
PROMPT = 60.0

#: libvirt's words for a guest that is off and that nobody turned off.
CRASHES = ("crashed", "failed", "daemon")


def remember(events: tuple[GuestEvent, ...], event: GuestEvent) -> tuple[GuestEvent, ...]:
    """The events that count once this one was heard; never more than a few.

    A guest that begins to run has no past, and after a reset no request counts any more: QEMU
    sends one for each reboot, too.
    """
    if is_start(event):
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


def is_start(event: GuestEvent) -> bool:
    """Whether the guest begins another life."""
    return event.kind is EventKind.STARTED and event.detail != "wakeup"


def is_stop(event: GuestEvent) -> bool:
    """Whether libvirt says that no machine is left of the guest."""
    return event.kind is EventKind.STOPPED


@dataclass(frozen=True)
class Stop:
    """What there is to judge a guest's stop by.

    reason: libvirt's word for why it is off.  heard: None where nobody listened.
    intent: what guestctl had begun to do with the guest.
    window: how long a request to shut down counts, in seconds.
    rival: a stop of libvirt-guests that had the guest on its list.
    """

    reason: str = "unknown"
    heard: Heard | None = None
    intent: Intent | None = None
    window: float = 300.0
    rival: RivalStop | None = None

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
    def off(self) -> GuestEvent | None:
        """That no machine is left of it."""
        ends = [event for event in self.heard.events if is_stop(event)] if self.heard else []
        return ends[-1] if ends else None

    @property
    def was_asked_just_before(self) -> bool:
        """Whether it stopped so soon after a request that it was meant to be off."""
        off, requests = self.off, self.of_monitor("POWERDOWN")
        return any(off.at - request.at <= PROMPT for request in requests if off)

    def is_too_old(self, request: GuestEvent) -> bool:
        """Whether the guest shut itself down so much later that this was not the cause."""
        return self.end is not None and self.end.at - request.at > self.window


def verdict(stop: Stop) -> Verdict:
    """Who stopped a guest that is off now."""
    stop = replace(stop, reason=_why_off(stop.reason, stop.heard))
    return next(found for rule in _RULES if (found := rule(stop)) is not None)


def _why_off(reason: str, heard: Heard | None) -> str:
    """libvirt's word: its event's, which tells more than what the guest's state keeps.

    Of a container that was destroyed libvirt 12.8 can also tell, before or after that, that it
    failed; its state is true then.
    """
    told = [event.detail for event in heard.events if is_stop(event)] if heard else []
    return told[-1] if told and (told[-1] != "failed" or reason != "destroyed") else reason


def _moved(stop: Stop) -> Verdict | None:
    if stop.reason != "migrated":
        return None
    evidence = "it was migrated to another host"
    return Verdict(StoppedBy.MOVED, How.MOVED, stop.certainty, (evidence,))


def _crashed(stop: Stop) -> Verdict | None:
    evidence = _crash(stop)
    if evidence is None:
        return None
    if stop.reason in CRASHES and stop.was_asked_just_before:
        asked = "its power button was pressed just before"
        return Verdict(StoppedBy.ADMINISTRATOR, How.CRASHED, Certainty.LIKELY, (evidence, asked))
    return Verdict(StoppedBy.CRASH, How.CRASHED, stop.certainty, (evidence,))


def _crash(stop: Stop) -> str | None:
    if stop.reason in CRASHES:
        panics = "".join("the guest panicked, and " for _ in stop.of_monitor("GUEST_PANICKED"))
        return f'{panics}libvirt says "{stop.reason}"'
    if stop.reason != "shutdown":
        return None
    for event in stop.of_monitor("WATCHDOG"):  # which can press the button as well
        if event.cause in ("shutdown", "poweroff") and not stop.is_too_old(event):
            return f"its watchdog ended it ({event.cause})"
    for event in stop.of_monitor("SHUTDOWN"):
        if event.cause in ("guest-panic", "host-error"):
            return f"QEMU ended ({event.cause})"
    return None


def _ours(stop: Stop) -> Verdict | None:
    if stop.intent is None or not stop.intent.steps or not stop.intent.explains(stop.reason):
        return None
    steps = ", ".join(step for step in Step if step in stop.intent.steps)
    evidence = f'guestctl had begun to take it down ({steps}), and libvirt says "{stop.reason}"'
    return Verdict(stop.intent.by, _HOW.get(stop.reason), stop.certainty, (evidence,))


_HOW = {"shutdown": How.SHUT_DOWN, "destroyed": How.POWERED_OFF, "saved": How.SAVED}
#: What only a client of libvirt brings about.
_BY_ADMINISTRATOR = {
    "destroyed": (How.POWERED_OFF, "somebody had libvirt pull its plug"),
    "saved": (How.SAVED, "somebody had libvirt save it"),
    "from snapshot": (How.POWERED_OFF, "it was reverted to a snapshot of when it was off"),
}


#: What libvirt says of guests that libvirt-guests has shut down or saved.
_BY_RIVAL = ("shutdown", "saved")
#: Its script looks each second whether a guest is down, and an event may come later than that.
_EVENT_COMES = 5.0


def _by_libvirt_guests(stop: Stop) -> Verdict | None:
    """Somebody stopped that unit, and not each of the guests that it took down."""
    rival, heard = stop.rival, stop.heard
    if rival is None:
        return None
    if heard is None and stop.reason in (*_BY_RIVAL, "unknown"):
        evidence = "libvirt-guests was stopped, and had it on its list, while guestctl was away"
    elif heard is not None and stop.reason in _BY_RIVAL and _is_in_rivals_stop(stop, heard, rival):
        evidence = "libvirt-guests was just being stopped, and had it on its list"
    else:
        return None
    certainty = Certainty.INFERRED if heard is None else Certainty.LIKELY
    return Verdict(StoppedBy.LIBVIRT_GUESTS, _HOW.get(stop.reason), certainty, (evidence,))


def _is_in_rivals_stop(stop: Stop, heard: Heard, rival: RivalStop) -> bool:
    if heard.started is not None and heard.started > rival.began:
        return False  # its list was made before: it takes down nobody who was started since
    if stop.reason == "saved" or not heard.monitored:
        return stop.off is not None and rival.covers(stop.off.at, _EVENT_COMES)
    end, request = stop.end, _request(stop)
    if end is None:
        return False
    if request is None:  # nobody may have listened when it was asked
        # Who is up once its stop is over has been given up by its script, or started since.
        return rival.covers(heard.since, _EVENT_COMES) and rival.covers(end.at, stop.window)
    return rival.covers(request.at, _EVENT_COMES) and not stop.is_too_old(request)


def _through_libvirt(stop: Stop) -> Verdict | None:
    if stop.reason not in _BY_ADMINISTRATOR:
        return None
    how, evidence = _BY_ADMINISTRATOR[stop.reason]
    return Verdict(StoppedBy.ADMINISTRATOR, how, stop.certainty, (evidence,))


def _on_request(stop: Stop) -> Verdict | None:
    """An administrator pressed its power button, and it did as it was asked to."""
    end, request = stop.end, _request(stop)
    if end is None or request is None or stop.is_too_old(request):
        return None
    since = end.at - request.at
    certainty = Certainty.OBSERVED if since <= PROMPT else Certainty.LIKELY
    how = How.HIBERNATED if any(stop.of_monitor("SUSPEND_DISK")) else How.SHUT_DOWN
    evidence = f"the guest shut itself down {since:.0f} s after its power button was pressed"
    return Verdict(StoppedBy.ADMINISTRATOR, how, certainty, (evidence,))


def _request(stop: Stop) -> GuestEvent | None:
    return next(stop.of_monitor("POWERDOWN"), None)


def _of_itself(stop: Stop) -> Verdict | None:
    end = stop.end
    if end is None:
        return None
    doubts = tuple(_doubts(stop, end))
    certainty = Certainty.LIKELY if doubts else Certainty.OBSERVED
    if any(stop.of_monitor("SUSPEND_DISK")):
        how, evidence = How.HIBERNATED, "the guest suspended itself to its disk"
    else:
        how, evidence = How.SHUT_DOWN, "the guest shut itself down, its power button not pressed"
    return Verdict(StoppedBy.USER, how, certainty, (evidence, *doubts))


def _doubts(stop: Stop, end: GuestEvent) -> Iterator[str]:
    """What else may have made it do so."""
    assert stop.heard is not None
    if request := _request(stop):
        yield f"a press {end.at - request.at:.0f} s before does not count any more"
    elif end.at - stop.heard.since < stop.window:
        yield "a press before guestctl listened may have been the cause"
    if any(event.kind is EventKind.AGENT for event in stop.heard.events):
        yield "its guest agent may have been asked, which nothing tells"


def _by_signal(stop: Stop) -> Verdict | None:
    """QEMU was told to end, by a signal or on its monitor, and says so before libvirt does."""
    for event in stop.of_monitor("SHUTDOWN") if stop.reason == "shutdown" else ():
        evidence = f"QEMU was told to end ({event.cause}), the guest was not asked"
        who = StoppedBy.ADMINISTRATOR
        return Verdict(who, How.POWERED_OFF, Certainty.OBSERVED, (evidence,))
    return None


def _without_monitor(stop: Stop) -> Verdict | None:
    if stop.reason != "shutdown" or stop.heard is None or stop.heard.monitored:
        return None
    evidence = "it shut down; its driver does not tell whether somebody had asked it to"
    return Verdict(StoppedBy.USER, How.SHUT_DOWN, Certainty.LIKELY, (evidence,))


def _not_known(stop: Stop) -> Verdict:
    certainty = Certainty.INFERRED if stop.heard is None else Certainty.LIKELY
    evidence = f'libvirt says "{stop.reason}", and nothing tells who brought that about'
    return Verdict(StoppedBy.UNKNOWN, _HOW.get(stop.reason), certainty, (evidence,))


#: The first that has something to say decides.
_RULES: tuple[Callable[[Stop], Verdict | None], ...] = (
    _moved,
    _crashed,
    _ours,
    _by_libvirt_guests,
    _through_libvirt,
    _on_request,
    _of_itself,
    _by_signal,
    _without_monitor,
    _not_known,
)
