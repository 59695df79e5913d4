"""libvirt's numbers as words: states, reasons, lifecycle events, jobs.

The numbers are those of libvirt-domain.h, and never change.
"""

from __future__ import annotations

from ...model.event import EventKind, JobKind
from ...model.guest import State

_STATES = (
    State.NO_STATE,
    State.RUNNING,
    State.IDLE,
    State.PAUSED,
    State.IN_SHUTDOWN,
    State.SHUT_OFF,
    State.CRASHED,
    State.PMSUSPENDED,
)

_REASONS: dict[State, tuple[str, ...]] = {
    State.RUNNING: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    State.PAUSED: (
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
        "API error",
    ),
    State.IN_SHUTDOWN: ("unknown", "user"),
    State.SHUT_OFF: (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "daemon",
    ),
    State.CRASHED: ("unknown", "panicked"),
}

_EVENTS = (
    EventKind.DEFINED,
    EventKind.UNDEFINED,
    EventKind.STARTED,
    EventKind.SUSPENDED,
    EventKind.RESUMED,
    EventKind.STOPPED,
    EventKind.SHUTDOWN,
    EventKind.PMSUSPENDED,
    EventKind.CRASHED,
)

_DETAILS: dict[EventKind, tuple[str, ...]] = {
    EventKind.DEFINED: ("added", "updated", "renamed", "from snapshot"),
    EventKind.UNDEFINED: ("removed", "renamed"),
    EventKind.STARTED: ("booted", "migrated", "restored", "from snapshot", "wakeup"),
    EventKind.STOPPED: (
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
    ),
    EventKind.SHUTDOWN: ("finished", "guest", "host"),
    EventKind.PMSUSPENDED: ("memory", "disk"),
    EventKind.CRASHED: ("panicked", "crashloaded"),
}

_JOBS = {
    2: JobKind.SAVE,
    4: JobKind.MIGRATION,
    5: JobKind.MIGRATION,
    6: JobKind.SNAPSHOT,
    7: JobKind.SNAPSHOT,
    8: JobKind.DUMP,
    9: JobKind.BACKUP,
    10: JobKind.SNAPSHOT,
}


_BLOCK_JOBS = {
    1: JobKind.PULL,
    2: JobKind.COPY,
    3: JobKind.COMMIT,
    4: JobKind.COMMIT,
    5: JobKind.BACKUP,
}


def state_and_reason(state: int, reason: int) -> tuple[State, str]:
    """A domain's state and the reason for it; `unknown` for numbers of a newer libvirt."""
    word = _STATES[state] if 0 <= state < len(_STATES) else State.UNKNOWN
    return word, _pick(_REASONS.get(word, ()), reason)


def event_kind(event: int) -> EventKind:
    """A virDomainEventType."""
    return _EVENTS[event] if 0 <= event < len(_EVENTS) else EventKind.OTHER


def event_detail(kind: EventKind, detail: int) -> str:
    """The detail that goes with a kind of event."""
    return _pick(_DETAILS.get(kind, ()), detail)


def agent_state(state: int) -> str:
    """A virConnectDomainEventAgentLifecycleState."""
    return _pick(("unknown", "connected", "disconnected"), state)


def job_kind(operation: int) -> JobKind:
    """A virDomainJobOperation."""
    return _JOBS.get(operation, JobKind.OTHER)


def block_job_kind(kind: int) -> JobKind:
    """A virDomainBlockJobType."""
    return _BLOCK_JOBS.get(kind, JobKind.OTHER)


def _pick(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else "unknown"
