"""The service as its clients see it on a private bus, with a run that a test tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from guestctl import __version__
from guestctl.control.interface import MANAGER, NAME, NO_RUN, ROOT, RUN, RUNS
from guestctl.host.bus_messages import SIGNAL
from guestctl.host.bus_values import Variant
from guestctl.host.dbus_library import Outgoing
from guestctl.model.plan import GuestPlan, Outcome, Plan, RunKind, Step
from guestctl.model.report import (
    GuestEnded,
    Progress,
    RunBegan,
    RunEnded,
    RunEvent,
    StepBegan,
    event_to_plain,
)
from guestctl.model.result import GuestResult, RunResult, Trigger
from tests.unit.makers import guest
from tests.unit.private_bus import Answer, FakeService, PrivateBus, Refusal

PATH = f"{RUNS}/1"
WEB = guest("web")
SAVED = GuestResult(WEB.id, "web", Outcome.SAVED, seconds=1.5)
RESULT = RunResult(RunKind.PRESERVE, 1, (SAVED,))
#: A run of one guest, from its beginning to its end.
STORY: list[RunEvent] = [
    RunBegan(Plan(RunKind.PRESERVE, (GuestPlan(WEB),)), Trigger.COMMAND, run=1),
    StepBegan(WEB, Step.SAVE, 600),
    Progress(WEB, 0.5, "half of it"),
    GuestEnded(SAVED),
    RunEnded(RESULT),
]


class FakeGuestctl(FakeService):
    """Its manager, and one run."""

    def __init__(self) -> None:
        super().__init__(NAME, ROOT, MANAGER.name)
        #: Whether a run tells its story, and ends, as soon as it has begun.
        self.at_once = False
        self.log: list[tuple[int, str]] = []
        self.ended = False
        self.bodies: dict[str, list[Any]] = {}
        self.properties = {
            "Version": Variant("s", __version__),
            "CurrentRun": Variant("o", NO_RUN),
            "Began": Variant("t", 7),
        }
        self.methods = {
            "Ping": lambda _: ("", [], []),
            "Subscribe": lambda _: ("", [], []),
            "Cancel": lambda _: ("", [], []),
            "Events": self._events,
            **dict.fromkeys(("Preserve", "Shutdown", "Start"), self._begin),
        }

    def begin(self) -> None:
        """There is a run under way."""
        self.properties["CurrentRun"] = Variant("o", PATH)

    def is_asked_for_by(self, user: str, origin: str, command: str) -> None:
        """The run is theirs."""
        for name, value in (("User", user), ("Origin", origin), ("Command", command)):
            self.properties[name] = Variant("s", value)

    def tell(self, event: RunEvent, *, aloud: bool = True) -> None:
        """Have the run tell it; not aloud: whoever follows does not hear the signal."""
        number = len(self.log) + 1
        text = json.dumps({"monotonic": number * 10**9, **event_to_plain(event)})
        self.log.append((number, text))
        if aloud:
            self.of_run("Event", "ts", number, text)

    def of_run(self, member: str, signature: str, *body: Any) -> None:
        """A signal of the run."""
        self.connection.send(Outgoing(SIGNAL, "", PATH, RUN.name, member, signature, body))

    def end(self) -> None:
        """The run is over."""
        self.ended = True
        self.properties["CurrentRun"] = Variant("o", NO_RUN)
        self.emit("RunEnded", "ossb", PATH, "preserve", "command", True)

    def _begin(self, body: list[Any]) -> Answer:
        self.begin()
        self.bodies[self.calls[-1]] = body
        if self.at_once:
            for event in STORY:
                self.tell(event)
            self.end()
        return "o", [PATH], []

    def answer(self, member: str, signature: str, *values: Any) -> None:
        """Have a method answered so."""

        def method(body: list[Any]) -> Answer:
            self.bodies[member] = body
            return signature, list(values), []

        self.methods[member] = method

    def refuse(self, member: str, error: str, text: str) -> None:
        """Have a method answered with an error."""

        def method(_: list[Any]) -> Answer:
            raise Refusal(error, text)

        self.methods[member] = method

    def _events(self, body: list[Any]) -> Answer:
        """Two at a time: an answer has room for some."""
        found = [row for row in self.log if row[0] >= body[0]]
        return "a(ts)b", [found[:2], self.ended and len(found) <= 2], []


class Served:
    """The service in a thread of its own: who asks has an event loop for each call."""

    def __init__(self, service: FakeGuestctl, loop: asyncio.AbstractEventLoop) -> None:
        self.service = service
        self._loop = loop

    def do(self, work: Callable[[FakeGuestctl], None]) -> None:
        """In its thread, before this returns."""

        async def there() -> None:
            work(self.service)

        self.wait_for(there())

    def come_back(self, bus: PrivateBus) -> None:
        """Under its name again."""
        self.wait_for(self.service.connect(bus.address))

    def wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        """In its thread."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5.0)


@contextlib.contextmanager
def served(bus: PrivateBus) -> Iterator[Served]:
    """The service under its name, gone in the end."""
    loop, service = asyncio.new_event_loop(), FakeGuestctl()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        there = Served(service, loop)
        there.come_back(bus)
        yield there
    finally:
        loop.call_soon_threadsafe(service.leave)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.asynccontextmanager
async def guestctl_on(bus: PrivateBus) -> AsyncIterator[FakeGuestctl]:
    """The service under its name, gone in the end."""
    service = FakeGuestctl()
    await service.connect(bus.address)
    try:
        yield service
    finally:
        service.leave()
