"""What acts on guests, asked of the service: polkit may ask who asked, and runs are followed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..host import machine
from ..host.bus_values import Variant
from ..host.polkit_agent import agent_at_terminal
from ..model.history import Actor
from ..model.plan import RunKind
from ..model.result import RunResult
from ..model.text import printable
from .command_line import command_line
from .following_run import follow_run
from .interface import LONGEST_TEXT, LONGEST_WITHIN, NO_RUN, RUN
from .requests import Detached, Down, Failure, RequestError, Shown, Up, word
from .service_on_bus import INTERACTIVE, READING, ServiceOnBus

Options = dict[str, Variant]
#: Seconds for the service to begin a run for root: it asks neither polkit nor libvirt before it
#: answers, and takes 10 s at most.  Whoever is in a hurry goes on without it then.
ROOTS_RUN = 20.0
#: The numbers of runs are told in 32 bits.
_MOST = 2**32 - 1
#: Seconds left to a run that has used up all it was given before it was asked for.
_LEAST = 0.001


# What is asked


def said(reason: str | None) -> Options:
    """Who typed what and why, for the trails."""
    options = {"command": Variant("s", command_line())}
    return options if reason is None else {**options, "reason": Variant("s", _one_line(reason))}


def _one_line(reason: str) -> str:
    """As the interface takes it: no run is refused for the sake of what is said about it."""
    text = printable(reason)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def call_of_down(request: Down) -> tuple[str, list[str], Options]:
    """The method that takes guests down, and what it is given."""
    options = said(request.reason)
    if request.within is not None:
        left = request.within - (time.monotonic() - request.begun)
        options["within"] = Variant("d", min(max(left, _LEAST), LONGEST_WITHIN))
    if request.profile is not None:
        options["profile"] = Variant("s", request.profile)
    if request.without_ledger:
        options["without_ledger"] = Variant("b", True)
    if request.sheds:
        if request.order is not None:
            options["order"] = Variant("u", request.order)
        return "Shed", list(map(word, request.names)), options
    if request.kind is RunKind.PRESERVE:
        return "Preserve", list(map(word, request.names)), options
    if not request.names:
        options["all"] = Variant("b", True)
    return "Shutdown", list(map(word, request.names)), options


def call_of_up(request: Up) -> tuple[str, list[str], Options]:
    """The method that brings guests up, and what it is given.  RequestError."""
    options = said(request.reason)
    if request.shed:
        return "Resume", list(map(word, request.names)), options
    if request.decision is not None:
        options["decision"] = Variant("s", str(request.decision))
    if request.run is not None:
        if request.run > _MOST:
            text = f"cannot start the guests of run {request.run}: no such run is recorded"
            raise RequestError(Failure.WRONG_REQUEST, text)
        options["run"] = Variant("u", request.run)
    return "Start", list(map(word, request.names)), options


# Asking


async def ask_to_act(
    service: ServiceOnBus, member: str, *arguments: Any, limit: float = READING, **where: Any
) -> Any:
    """What the one value is that a method returns; at a terminal polkit may ask the user first,
    and the limit is for those who are not asked."""
    interactive = sys.stdin is not None and sys.stdin.isatty() and not machine.is_root()
    limit = INTERACTIVE if interactive else limit
    agent = agent_at_terminal() if interactive else contextlib.nullcontext()
    async with agent:
        answer = await service.ask(
            member, *arguments, limit=limit, interactive=interactive, **where
        )
    return answer[0] if answer else None


# Runs

_GOES_ON = (
    "the run goes on in the service; `guestctl attach` shows it again, `guestctl cancel` ends it"
)
_ENDS = "the run ends in the service, as it was told; `guestctl attach` shows that"
_MAYBE = "whether the run has begun was not told: `guestctl attach` shows it if so"


async def begin_and_follow(
    service: ServiceOnBus,
    call: tuple[str, list[str], Options],
    shown: Shown,
    complain: Callable[[str], None],
) -> RunResult:
    """A run to its end.  Detached where this process is told to end: the run goes on.

    Who may not look at it is refused before it begins.
    """
    limit = ROOTS_RUN if machine.is_root() else READING
    await service.ask("Subscribe", limit=limit)
    async with _detaching(_MAYBE):
        with shown.away():
            path = await ask_to_act(service, *call, limit=limit)
    return await follow(service, path, shown, complain)


async def follow(
    service: ServiceOnBus, path: str, shown: Shown, complain: Callable[[str], None]
) -> RunResult:
    """A run that has begun, to its end.  Detached as above."""
    async with _detaching(_GOES_ON):
        return await follow_run(service, path, shown, complain)


async def current_run(service: ServiceOnBus) -> str | None:
    """The object of the run under way; None where there is none."""
    path = str(await service.value("CurrentRun"))
    return None if path == NO_RUN else path


async def refuse_others(service: ServiceOnBus, path: str) -> None:
    """RequestError where it is not this user, here, who asked for that run."""
    words = [str(await service.value(it, path, RUN)) for it in ("User", "Origin", "Command")]
    user, origin, command = words
    mine = machine.actor("")
    if (user, origin) != (mine.user, mine.origin or ""):
        whose = str(Actor(user, origin or None, command)) if user else "nobody asked for it"
        raise RequestError(Failure.NOT_ALL_WELL, f"the run that goes on is not yours: {whose}")


async def cancel(
    service: ServiceOnBus, path: str, shown: Shown, complain: Callable[[str], None]
) -> RunResult:
    """Have a run end as Ctrl-C does, and follow it to its end.  Detached as above."""
    await ask_to_act(service, "Cancel", path=path, of=RUN)
    async with _detaching(_ENDS):
        return await follow_run(service, path, shown, complain)


@contextlib.asynccontextmanager
async def _detaching(text: str) -> AsyncIterator[None]:
    """Ctrl-C, SIGTERM and the end of the terminal are no reason for a run of the service to end.

    Under nohup(1) the end of the terminal is no reason to leave it either: what comes next in a
    script goes by the run's end.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        yield
    except asyncio.CancelledError:
        raise Detached(text) from None
