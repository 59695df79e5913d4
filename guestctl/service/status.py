"""What the service says of itself: for `guestctl status`, and on systemd's status line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..config import effective
from ..config.last_good import Loaded
from ..host.logind import Logind
from ..model.report import count_up, names
from .configuration import Configuration
from .connections import Connections
from .state import ServiceState


def status(
    state: ServiceState,
    connections: Connections,
    configuration: Configuration,
    logind: Logind,
    delay: float | None,
    since: int,
    interface: dict[str, Any],
) -> dict[str, Any]:
    """Everything; delay: how long logind waits for inhibitors, in seconds.

    since: when the service was started, in nanoseconds since the epoch.  interface: whether it
    can be called on the bus, as `interface_said` has it.
    """
    loaded = configuration.loaded
    return {
        "pid": os.getpid(),
        "since": since,
        "activity": state.activity,
        "configuration": {
            "source": loaded.source or "as in its files",
            "problems": [str(problem) for problem in loaded.problems],
            "read": configuration.read_at,
            "values": effective.values(configuration.written),
        },
        "logind": {
            "connected": logind.connected,
            "inhibitor": logind.held,
            "delay": delay,
            "problem": logind.problem,
            "announced": logind.shutting_down,
        },
        "interface": interface,
        "connections": {
            uri: watch.trouble or "connected" for uri, watch in connections.watches.items()
        },
        "as_found": sorted(filter(state.is_as_found, connections.watches)),
        "up": sorted(connections.names_up),
        "waiting": _waiting(state),
        "out_of_reach": {uri: list(guests) for uri, guests in state.out_of_reach.items()},
    }


def interface_said(problem: str, *, is_to_be: bool) -> dict[str, Any]:
    """Of the interface on the bus.  problem: why nobody can call; empty while they can.

    is_to_be: whether somebody should be able to by now.
    """
    return {"on_bus": not problem if is_to_be else None, "problem": problem}


def _waiting(state: ServiceState) -> list[dict[str, Any]]:
    """Who could not be brought up so far, why, and whether it was given up."""
    records = sorted(state.waiting.values(), key=lambda record: (record.name, record.id))
    return [
        {"name": r.name, "uri": r.id.uri, "for": r.waits_for or "", "given_up": r.given_up}
        for r in records
    ]


def _late(state: ServiceState) -> Iterator[str]:
    """Who is waited for, and who was given up."""
    for how, given_up in (("waited for", False), ("given up", True)):
        if whom := [one["name"] for one in _waiting(state) if one["given_up"] is given_up]:
            yield f"{how}: {names(whom)}"


def line(state: ServiceState, connections: Connections, loaded: Loaded, logind: Logind) -> str:
    """The same in one line."""
    up = sorted(connections.names_up)
    parts = [f"{count_up(len(up))}: {names(up)}" if up else count_up(0)]
    parts += [watch.trouble for watch in connections.watches.values() if watch.trouble]
    parts[1:1] = [
        f"{uri} CANNOT BE REACHED, AND GUESTS RUN THERE: {names(guests)}"
        for uri, guests in state.out_of_reach.items()
    ]
    parts[1:1] = list(_late(state))
    if loaded.source:
        parts.insert(0, f"THE CONFIGURATION HAS MISTAKES, {loaded.source} is used")
    if logind.problem:
        parts.append(f"logind: {logind.problem}")
    return "; ".join(parts)
