"""What happens to guests, as `watch --json` prints it: a line for each thing."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ..model.event import EventKind, GuestEvent
from ..model.history import TrailEvent

#: By name of its field; those of an event of libvirt's and of a line of a trail differ.
Line = dict[str, Any]


def of_event(event: GuestEvent) -> Line:
    """What libvirt told of, just now."""
    monitor = event.kind is EventKind.MONITOR
    return {
        "at": time.time_ns(),
        "name": event.name,
        "uuid": event.guest.uuid,
        "uri": event.guest.uri,
        "event": event.detail if monitor else str(event.kind),
        "detail": event.cause if monitor else event.detail,
        "by_guest": event.by_guest if monitor else None,
    }


def of_trail(event: TrailEvent) -> Line:
    """A line of a guest's trail, and the verdict in it."""
    return {
        "at": event.entry.at,
        "name": event.name,
        "uuid": event.guest.uuid,
        "uri": event.guest.uri,
        "source": event.entry.source,
        "reason": event.entry.reason,
        "verdict": asdict(event.verdict) if event.verdict else None,
    }
