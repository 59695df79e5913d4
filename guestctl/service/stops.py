"""What is heard of the guests of one connection, kept for whoever judges their stops."""

from __future__ import annotations

from ..decisions.attribution import remember
from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestId
from ..model.stop import Heard


class EventHistory:
    """Events by guest, a few of each.  Before `begin`, and after `end`, nothing is known."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._monitored = False
        self._events: dict[GuestId, tuple[GuestEvent, ...]] = {}

    def begin(self, since: float, *, monitored: bool) -> None:
        """From this time on no event is missed; monitored: nor those of QEMU's monitor."""
        self._since, self._monitored = since, monitored

    def end(self) -> None:
        """Events may be missed: those of before mean nothing any more."""
        self._since = None
        self._events.clear()

    def hear(self, event: GuestEvent) -> None:
        """One more event."""
        events = remember(self._events.get(event.guest, ()), event)
        if events:
            self._events[event.guest] = events
        else:
            self._events.pop(event.guest, None)

    def of_stop(self, guest: GuestId) -> Heard | None:
        """What was heard of the guest's stop; None where nothing was, or that was dealt with."""
        events = self._events.get(guest, ())
        if self._since is None or not any(map(_tells_of_stop, events)):
            return None
        return Heard(events, self._since, self._monitored)

    def dealt_with(self, guest: GuestId, heard: Heard) -> None:
        """The guest's stop was judged by this; what came since is of its next life."""
        if self._events.get(guest) == heard.events:
            del self._events[guest]

    def forget(self, guest: GuestId) -> None:
        """The guest is gone."""
        self._events.pop(guest, None)


def _tells_of_stop(event: GuestEvent) -> bool:
    is_end = event.kind is EventKind.MONITOR and event.detail == "SHUTDOWN"
    return is_end or event.kind is EventKind.STOPPED
