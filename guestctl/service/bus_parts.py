"""What the objects on the bus speak for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..control.answers import Answers
from ..host.bus_server import BusServer
from .asked_runs import AskedRuns
from .run_log import RunLog


@dataclass(frozen=True)
class Parts:
    """The service, as the objects on the bus ask it.

    said: what it says of itself (see status).  reload: reads the configuration; what is different.
    host_stays: whether nobody says that the host goes down.
    """

    answers: Answers
    asked: AskedRuns
    log: RunLog
    said: Callable[[], Mapping[str, Any]]
    reload: Callable[[], Awaitable[list[str]]]
    host_stays: Callable[[], bool]


#: Whom signals are given to, and who has subscribers.
Signals = BusServer
