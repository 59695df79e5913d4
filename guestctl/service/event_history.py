"""Events of the guests of one connection, kept for whoever judges their stops."""

from __future__ import annotations

from ..decisions.attribution import is_start, remember
from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestId
from ..model.stop import Heard


class EventHistory:
    """Events by guest, a few of each.  Before `begin`, and after `end`, nothing is known."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._monitored = False
        self._events: dict[GuestId, tuple[GuestEvent, ...]] = {}
        #: Who was started since anybody has seen it up, and libvirt's word for how.
        self._started: dict[GuestId, str] = {}
        #: When lives began that go on, or whose end nobody has judged yet.
        self._lives: dict[GuestId, float] = {}
        #: Whose definitions were removed; a guest that runs goes on without one.
        self._undefined: set[GuestId] = set()
        #: Of those: it was heard of before events were missed.
        self._doubtful: set[GuestId] = set()

    def begin(self, since: float, *, monitored: bool) -> None:
        """From this time on no event is missed; monitored: nor those of QEMU's monitor."""
        self._since, self._monitored = since, monitored
        self._doubtful = set(self._undefined)

    def end(self) -> None:
        """Events may be missed: those of before mean nothing any more."""
        self._since = None
        for known in (self._events, self._started, self._lives):
            known.clear()

    def add(self, event: GuestEvent) -> None:
        """One more event."""
        if is_start(event):
            self._started[event.guest] = event.detail
            self._lives[event.guest] = event.at
        self._note_definition(event)
        events = remember(self._events.get(event.guest, ()), event)
        if events:
            self._events[event.guest] = events
        else:
            self._events.pop(event.guest, None)

    def _note_definition(self, event: GuestEvent) -> None:
        if event.kind in (EventKind.DEFINED, EventKind.UNDEFINED):
            self._doubtful.discard(event.guest)
        if event.kind is EventKind.DEFINED:
            self._undefined.discard(event.guest)
        elif event.kind is EventKind.UNDEFINED and event.detail != "renamed":
            self._undefined.add(event.guest)

    def was_undefined(self, guest: GuestId) -> bool:
        """Whether that was heard of, so that a guest that is not listed is no more."""
        return guest in self._undefined

    def seen_defined(self, guest: GuestId) -> None:
        """It had a definition when it was read, which may be before what was heard since."""
        if guest in self._doubtful:
            self._doubtful.discard(guest)
            self._undefined.discard(guest)

    def of_stop(self, guest: GuestId) -> Heard | None:
        """What was heard of the guest's stop; None where nothing was, or that was dealt with."""
        events = self._events.get(guest, ())
        if self._since is None or not any(map(_tells_of_stop, events)):
            return None
        return Heard(events, self._since, self._monitored, self._lives.get(guest))

    def ended_at(self, guest: GuestId) -> float | None:
        """When the guest shut itself down, on the loop's clock; None where it has not."""
        events = self._events.get(guest, ())
        ends = [event.at for event in events if event.detail == "SHUTDOWN" and event.by_guest]
        return ends[-1] if ends else None

    def was_started(self, guest: GuestId) -> bool:
        """Whether it came up, and nobody has looked while it was."""
        return guest in self._started

    def started_as(self, guest: GuestId) -> str:
        """libvirt's word for that start, such as "restored"; empty where there was none."""
        return self._started.get(guest, "")

    def seen_up(self, guest: GuestId) -> None:
        """Somebody has looked."""
        self._started.pop(guest, None)

    def dealt_with(self, guest: GuestId, heard: Heard) -> None:
        """The guest's stop was judged by this; what came since is of its next life."""
        if self._events.get(guest) == heard.events:
            self.forget(guest)

    def forget(self, guest: GuestId) -> None:
        """The guest is gone, or its life is."""
        for known in (self._events, self._started, self._lives):
            known.pop(guest, None)


def _tells_of_stop(event: GuestEvent) -> bool:
    is_end = event.kind is EventKind.MONITOR and event.detail == "SHUTDOWN"
    return is_end or event.kind is EventKind.STOPPED
