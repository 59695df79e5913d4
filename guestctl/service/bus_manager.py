"""The manager on the bus: what the command line does as methods, and the service's state."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from .. import __version__
from ..control.answers import Answer
from ..control.interface import MANAGER, ROOT
from ..control.requests import Down, Named, PolicyRequest, Up, Who, find
from ..host.bus_callers import Caller
from . import bus_input, bus_requests
from .bus_input import Options
from .bus_parts import Parts, Signals
from .bus_paths import guest_path, run_path

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Manager:
    """The object at ROOT."""

    def __init__(
        self,
        parts: Parts,
        signals: Signals,
        current_run: Callable[[], str],
        on_subscriber: Callable[[], None],
    ) -> None:
        """current_run: the path of the run under way.  on_subscriber: there is one from now on."""
        self._parts = parts
        self._signals = signals
        self._current_run = current_run
        self._on_subscriber = on_subscriber
        #: What subscribers know.
        self._known: dict[str, Any] = {}
        self._methods: dict[str, Callable[..., Awaitable[Sequence[Any]]]] = {
            "Subscribe": self._subscribe,
            "Unsubscribe": self._unsubscribe,
            "ListGuests": self._list_guests,
            "GetGuest": self._get_guest,
            "GetFacts": self._get_facts,
            "GetStatus": self._get_status,
            "GetHistory": self._get_history,
            "Why": self._why,
            "Preserve": self._preserve,
            "Shutdown": self._shutdown,
            "Start": self._start,
            "Shed": self._shed,
            "Resume": self._resume,
            "Hold": self._hold,
            "Release": self._release,
            "Forget": self._forget,
            "SetPolicy": self._set_policy,
            "Reload": self._reload,
        }

    async def call(self, caller: Caller, method: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """See Exported.call; CallError, RequestError."""
        return await self._methods[method](caller, *arguments)

    # Properties

    def properties(self) -> dict[str, Any]:
        """All of them, at no cost."""
        said = self._parts.said()
        configuration = said["configuration"]
        return {
            "Version": __version__,
            "Activity": str(said["activity"]),
            "CurrentRun": self._current_run(),
            "GuestsUp": said["up"],
            "Waiting": [(one["name"], one["uri"], one["for"]) for one in said["waiting"]],
            "InhibitorHeld": said["logind"]["inhibitor"],
            "ConfigurationSource": configuration["source"],
            "ConfigurationProblems": configuration["problems"],
        }

    def say_changes(self) -> None:
        """Subscribers are told what is different."""
        if not self._signals.has_subscribers:
            return
        values = self.properties()
        changed = MANAGER.changes(self._known, values)
        self._known = values
        if changed:
            self._signals.changed(ROOT, MANAGER, changed)

    async def _subscribe(self, caller: Caller) -> Sequence[Any]:
        if not self._signals.has_subscribers:
            self._known = self.properties()
        await self._signals.subscribe(caller)
        self._on_subscriber()
        return ()

    async def _unsubscribe(self, caller: Caller) -> Sequence[Any]:
        self._signals.unsubscribe(caller)
        return ()

    # Reading

    async def _list_guests(self, _: Caller) -> Sequence[Any]:
        rows = (await self._parts.answers.rows()).value
        return ([(*_shortly(row), guest_path(row.id)) for row in rows],)

    async def _get_guest(self, _: Caller, name: str) -> Sequence[Any]:
        wanted = bus_input.name("guest", name)
        rows = (await self._parts.answers.rows()).value
        known = [Named(row.id, row.name) for row in rows]
        (found,) = find([wanted], known, hints=0)  # a hint takes long, in the event loop
        return (guest_path(found),)

    async def _get_facts(self, _: Caller) -> Sequence[Any]:
        return _with_complaints(await self._parts.answers.facts())

    async def _get_status(self, _: Caller) -> Sequence[Any]:
        return _with_complaints(await self._parts.answers.status())

    async def _get_history(
        self, _: Caller, count: int, names: Sequence[str], kind: str
    ) -> Sequence[Any]:
        asked = (count, bus_input.few_names(names), bus_input.kind(kind))
        return _with_complaints(await self._parts.answers.history(*asked))

    async def _why(self, _: Caller, name: str) -> Sequence[Any]:
        return _with_complaints(await self._parts.answers.why(bus_input.name("guest", name)))

    # Runs

    async def _preserve(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return await self.preserve(caller, bus_input.names(names), given)

    async def preserve(self, caller: Caller, names: Sequence[Who], given: Any) -> Sequence[Any]:
        """Of these guests, or all; CallError, RequestError, here and below."""
        options = bus_input.options("Preserve", given)
        request = bus_requests.preserve(names, options)
        return await self._begin(caller, "Preserve", request, options)

    async def _shutdown(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return await self.shutdown(caller, bus_input.names(names), given)

    async def shutdown(self, caller: Caller, names: Sequence[Who], given: Any) -> Sequence[Any]:
        """Of these guests, or all where that is said."""
        options = bus_input.options("Shutdown", given)
        request = bus_requests.shutdown(names, options)
        return await self._begin(caller, "Shutdown", request, options)

    async def _start(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return await self.start(caller, bus_input.names(names), given)

    async def start(self, caller: Caller, names: Sequence[Who], given: Any) -> Sequence[Any]:
        """Of these guests, or all that are wanted on."""
        options = bus_input.options("Start", given)
        request = bus_requests.start(names, options)
        return await self._begin(caller, "Start", request, options)

    async def _shed(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        options = bus_input.options("Shed", given)
        request = bus_requests.shed(bus_input.names(names), options)
        return await self._begin(caller, "Shed", request, options)

    async def _resume(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        options = bus_input.options("Resume", given)
        request = bus_requests.resume(bus_input.names(names), options)
        return await self._begin(caller, "Resume", request, options)

    async def _begin(
        self, caller: Caller, method: str, request: Down | Up, options: Options
    ) -> Sequence[Any]:
        actor = await bus_requests.asker(caller, options, method, request.names)
        run = await self._parts.asked.begin(request, actor)
        return (run_path(run.number),)

    # What only writes

    async def _hold(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return (await self.mark(caller, "Hold", bus_input.named(names), given),)

    async def _release(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return (await self.mark(caller, "Release", bus_input.named(names), given),)

    async def _forget(self, caller: Caller, names: Sequence[str], given: Any) -> Sequence[Any]:
        return (await self.mark(caller, "Forget", bus_input.named(names), given),)

    async def mark(
        self, caller: Caller, method: str, names: Sequence[Who], given: Any
    ) -> list[tuple[str, str]]:
        """Hold, Release or Forget: of each guest its name, and what is said of it."""
        options = bus_input.options(method, given)
        actor = await bus_requests.asker(caller, options, method, names)
        answer = await self._parts.answers.mark(actor, method.lower(), names, options.reason)
        return _logged(answer)

    async def _set_policy(
        self, caller: Caller, guest: str, given: Mapping[str, str], dropped: Sequence[str], how: Any
    ) -> Sequence[Any]:
        options, name = bus_input.options("SetPolicy", how), bus_input.name("guest", guest)
        settings, keys = bus_input.settings(given), bus_input.names(dropped)
        if not (settings or keys):
            raise bus_input.invalid("set, unset: both are empty")
        actor = await bus_requests.asker(caller, options, "SetPolicy", [name])
        request = PolicyRequest(name, settings, keys, options.reason)
        return (_logged(await self._parts.answers.change_policy(actor, request)),)

    async def _reload(self, _: Caller) -> Sequence[Any]:
        return (await self._parts.reload(),)


def _shortly(row: Any) -> tuple[str, ...]:
    wanted, next_boot = row.wanted or "", row.next_boot or ""
    about = (row.name, row.uuid, row.uri, row.state, wanted, next_boot, row.held or "")
    return tuple(map(str, about))


def _with_complaints(answer: Answer[str]) -> Sequence[Any]:
    return answer.value, list(answer.complaints)


def _logged(answer: Answer[T]) -> T:
    """What was done, where what went wrong on the way has no place in the reply."""
    for complaint in answer.complaints:
        logger.warning(complaint)
    return answer.value
