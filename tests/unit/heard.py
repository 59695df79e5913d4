"""What QEMU and libvirt send of a guest, as values for tests, one event after the other."""

from __future__ import annotations

from guestctl.decisions.attribution import remember
from guestctl.model.event import EventKind, GuestEvent
from guestctl.model.stop import Heard
from tests.unit.makers import guest_id

WINDOW = 300.0
#: When the service began to listen, long before everything below.
LONG_AGO = -10_000.0


def qemu(name: str, cause: str = "", *, by_guest: bool = False) -> GuestEvent:
    """An event of QEMU's monitor."""
    return GuestEvent(guest_id(), "web", EventKind.MONITOR, name, cause, by_guest)


def libvirt(kind: EventKind, detail: str = "unknown") -> GuestEvent:
    """A lifecycle event, or one of an agent."""
    return GuestEvent(guest_id(), "web", kind, detail)


def stopped(reason: str) -> GuestEvent:
    """libvirt's last word."""
    return libvirt(EventKind.STOPPED, reason)


PRESSED = qemu("POWERDOWN")
SHUT_ITSELF_DOWN = qemu("SHUTDOWN", "guest-shutdown", by_guest=True)
#: libvirt ends QEMU's process, as it does whoever stopped the guest.
TOLD_TO_END = qemu("SHUTDOWN", "host-signal")
RESET = qemu("RESET", "guest-reset", by_guest=True)
PANIC = qemu("GUEST_PANICKED", "pause")
TO_DISK = qemu("SUSPEND_DISK")
AGENT = libvirt(EventKind.AGENT, "connected")
AGENT_GONE = libvirt(EventKind.AGENT, "disconnected")
BOOTED = libvirt(EventKind.STARTED, "booted")
RESUMED = libvirt(EventKind.STARTED, "restored")
WOKEN = libvirt(EventKind.STARTED, "wakeup")
PAUSED, WENT_ON = libvirt(EventKind.SUSPENDED), libvirt(EventKind.RESUMED)

Timed = tuple[float, GuestEvent]


def heard(*events: Timed | GuestEvent, since: float = LONG_AGO, monitored: bool = True) -> Heard:
    """These events, one second after the other where no time is given."""
    now, kept = 0.0, tuple[GuestEvent, ...]()
    for event in events:
        now, what = (now + 1, event) if isinstance(event, GuestEvent) else event
        at = GuestEvent(
            what.guest, what.name, what.kind, what.detail, what.cause, what.by_guest, now
        )
        kept = remember(kept, at)
    return Heard(kept, since, monitored)


def down(*events: Timed | GuestEvent, **how: float) -> Heard:
    """These, and the end of a guest that shut itself down."""
    return heard(*events, SHUT_ITSELF_DOWN, TOLD_TO_END, stopped("shutdown"), **how)  # type: ignore[arg-type]  # since alone
