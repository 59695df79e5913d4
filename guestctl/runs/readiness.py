"""Waiting until a guest that runs is ready, by the rules that its policy has for that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestFacts, State
from ..model.ports import (
    READ_LIMIT,
    ErrorKind,
    HypervisorError,
    Probe,
    within,
)
from ..model.readiness import Accepts, AgentAnswers, HasAddress, HasRun, Rule
from .live_guest import LiveGuest

T = TypeVar("T")

#: So many questions are asked at a time, whatever guests they are about.
AT_A_TIME = 8
#: Between two looks at a guest: a tenth of the time that it has taken so far, within these.
LEAST_PAUSE, MOST_PAUSE = 2.0, 10.0
#: No wait is shorter, whatever is left of a limit.
SHORTEST = 0.01
#: For one question; libvirt itself gives an agent 5 s.
ASK_LIMIT = 10.0
#: For a connection to one address; of so many at most, since an agent may tell any number.
CONNECT_LIMIT, MOST_ADDRESSES = 3.0, 4
#: What may have made a difference: the next look is taken at once.
_WAKE = frozenset({EventKind.AGENT, EventKind.STOPPED, EventKind.RESUMED, EventKind.STARTED})


class Unready(NamedTuple):
    """Why a guest is not ready; for_good: waiting does not change that."""

    why: str
    for_good: bool = False


class ReadyChecks:
    """Looks whether guests are ready, each question off the event loop and within a limit.

    One for all guests of a run: never more than a few questions are under way.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._slots = asyncio.Semaphore(AT_A_TIME)

    async def wait(
        self,
        live: LiveGuest,
        rules: Collection[Rule],
        timeout: float,
        progress: Callable[[str], object] = lambda _: None,
    ) -> str:
        """Wait until all rules have held, for so many seconds at most; why not, empty when ready.

        A delay that is longer is waited for all the same.  It ends at once where waiting is of no
        use: the guest went down, or has no agent at all.  progress is told what is waited for.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        end = begun + max([timeout, *(rule.seconds for rule in rules if isinstance(rule, HasRun))])
        left = sorted(rules, key=lambda rule: isinstance(rule, HasRun))
        with _told_of(live) as told:
            while left:
                told.clear()
                found = await self._look(live, left, begun, end)
                now = loop.time()
                if found is not None and (found.for_good or now >= end):
                    return found.why
                if found is not None:
                    progress(found.why)
                    await _wait(told, max(SHORTEST, min(_pause(left[0], begun, now), end - now)))
        return ""

    async def look(self, live: LiveGuest, rules: Collection[Rule]) -> str:
        """Why it is not ready now, delays apart; empty when it is."""
        now = asyncio.get_running_loop().time()
        left: list[Rule] = [rule for rule in rules if not isinstance(rule, HasRun)]
        found = await self._look(live, left, now, now)
        return found.why if found else ""

    async def _look(
        self, live: LiveGuest, left: list[Rule], begun: float, end: float
    ) -> Unready | None:
        """None when it is ready; what holds is taken from the list, and not asked again."""
        if unready := await _state(live, end):
            return unready
        while left:
            try:
                why = await self._why_not(live, left[0], begun, end)
            except HypervisorError as error:
                return Unready(f"{left[0]}: {error}", error.kind is ErrorKind.UNSUPPORTED)
            if why:
                return Unready(f"{left[0]}: {why}")
            left.pop(0)
        return None

    async def _why_not(self, live: LiveGuest, rule: Rule, begun: float, end: float) -> str:
        match rule:
            case AgentAnswers():
                await self._ask(partial(live.hypervisor.ping_agent, live.uuid), end)
                return ""
            case HasAddress():
                return "" if await self._addresses(live, end) else _NO_ADDRESS
            case Accepts(port):
                return await self._connect(live, port, end)
            case HasRun(seconds):
                run = asyncio.get_running_loop().time() - begun
                return "" if run >= seconds else "not over yet"

    async def _addresses(self, live: LiveGuest, end: float) -> tuple[str, ...]:
        return await self._ask(partial(live.hypervisor.addresses, live.uuid), end)

    async def _connect(self, live: LiveGuest, port: int, end: float) -> str:
        """At any of its addresses; else what each of them said."""
        refusals: dict[str, list[str]] = {}
        for address in (await self._addresses(live, end))[:MOST_ADDRESSES]:
            connects = partial(self._probe.connects, address, port, CONNECT_LIMIT)
            if not (said := await self._ask(connects, end)):
                return ""
            refusals.setdefault(said, []).append(address)
        told = [f"{', '.join(those)}: {said}" for said, those in refusals.items()]
        return "; ".join(told) or _NO_ADDRESS

    async def _ask(self, question: Callable[[], Awaitable[T]], end: float) -> T:
        """Its answer, once there is a slot for it; the last one is let finish."""

        async def in_slot() -> T:
            async with self._slots:
                return await within(ASK_LIMIT, question())

        left = end - asyncio.get_running_loop().time()
        return await within(max(ASK_LIMIT, left), in_slot())


_NO_ADDRESS = "libvirt knows no address of it"
_WENT_DOWN = "it went down again"


async def _state(live: LiveGuest, end: float) -> Unready | None:
    """Why it can be nothing but unready, as its state is."""
    left = end - asyncio.get_running_loop().time()
    try:
        facts = await within(min(READ_LIMIT, max(ASK_LIMIT, left)), live.observe())
    except HypervisorError as error:
        return Unready(f"its state could not be read: {error}")
    return _by_state(facts)


def _by_state(facts: GuestFacts | None) -> Unready | None:
    if facts is None or facts.down or facts.ending:
        return Unready(_WENT_DOWN, for_good=True)
    return Unready("it is paused") if facts.state is State.PAUSED else None


def _pause(rule: Rule, begun: float, now: float) -> float:
    if isinstance(rule, HasRun) and begun + rule.seconds > now:
        return begun + rule.seconds - now
    return min(MOST_PAUSE, max(LEAST_PAUSE, (now - begun) / 10))


@contextlib.contextmanager
def _told_of(live: LiveGuest) -> Iterator[asyncio.Event]:
    """Set whenever something of this guest was heard that may make it ready."""
    told = asyncio.Event()

    def hear(event: GuestEvent) -> None:
        if event.guest == live.facts.id and event.kind in _WAKE:
            told.set()

    end = live.hypervisor.listen(hear)
    try:
        yield told
    finally:
        end()


async def _wait(told: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.wait()
