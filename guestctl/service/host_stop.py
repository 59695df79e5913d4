"""The run that takes everybody to safety because the host goes down: the service's, the guard's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from ..config.config import Config
from ..config.settings import FORCED, LONGEST_STOP
from ..ledger.ledger import CopyNeed, Ledger
from ..ledger.writer import LEDGER_LIMIT
from ..model.guest import GuestId
from ..model.history import Note, PastRun
from ..model.plan import RunKind
from ..model.ports import READ_LIMIT, HypervisorError, Mounts, RunLock, within
from ..model.record import GuestRecord, Wanted, operators_word
from ..model.result import RunResult, Trigger
from ..runs.context import LOOK_LIMIT, Context, read_all, read_all_retrying
from ..runs.preserve import preserve
from .reach import LastLook
from .settling import host_goes_down, settle_old
from .stop_timeout import StopTimeout

logger = logging.getLogger(__name__)

#: How long an unreachable libvirtd is waited for, where guests may be up.
LIBVIRTD = 60.0
#: The least of it, for whoever comes second.
LIBVIRTD_AGAIN = 5.0
#: How long a run of an operator may go on once the host goes down, and how long it may then take
#: to end.
OPERATOR, ASKED = 30.0, 20.0
#: For what comes between reading the guests and their first steps: XML, room, the ledger.
PLANNING = 120.0
#: `--within` of an operator's preserve binds a stop of the host that begins so many seconds after
#: it at the latest; later it was for another one, which did not come about.
MEANT = 120.0
#: A run that is begun late still has so many seconds.
LEAST = 10.0

#: For libvirt's configuration to be read.
A_LOOK = 2.0

WHAT = "guestctl, as the host goes down"
OPERATORS_WORD = Note(
    "guestctl:settle", "it stays down: an operator was shutting it down as the host went down"
)


@dataclass(frozen=True)
class InForce:
    """What a stop of the host goes by.

    forced: by when, on the loop's clock, guests have to be down whatever the deadline, since
    systemd forces the host down soon after; why: that, in words.
    since: since when, on that clock, the host goes down, as far as this process knows.
    """

    config: Config
    forced: float = inf
    why: str = ""
    since: float = inf

    def ends(self, begun: float) -> float:
        """When the time of a run is over, on the loop's clock, where it began then."""
        return min(self._ends_by_deadline(begun), self.forced)

    def note(self, begun: float) -> Note | None:
        """Why guests have less time than the deadline says; None where they have not."""
        is_less = self.forced < self._ends_by_deadline(begun)
        return Note(f"guestctl:{RunKind.PRESERVE}", self.why) if is_less else None

    def _ends_by_deadline(self, begun: float) -> float:
        return begun + min(self.config.shutdown.deadline, LONGEST_STOP)


class Situation(NamedTuple):
    """What the ledger says as the host goes down.

    awaited: connections that are waited for if they cannot be reached: guests may be up there.
    spent: seconds since the host began to go down, used up by an earlier attempt.
    doomed: whom an operator is just shutting down: the host's end is not the reason.
    left: guests for which an earlier attempt has done all that it may.
    waited: whether a run for this stop has come to its end, which waited for everybody.
    """

    awaited: frozenset[str]
    spent: float
    doomed: frozenset[GuestId]
    waited: bool = False
    left: frozenset[GuestId] = frozenset()


async def host_stop(
    context: Context,
    by: InForce,
    stop_timeout: StopTimeout,
    lock: RunLock,
    last_look: LastLook,
    mounts: Mounts,
    up: frozenset[GuestId] = frozenset(),
) -> RunResult:
    """Take everybody to safety, whatever was begun before, and whoever has the run lock.

    up: who was up when the host began to go down, as far as somebody watched.
    """
    begun = asyncio.get_running_loop().time()
    async with stop_timeout.asking(), contextlib.AsyncExitStack() as held:
        await held.enter_async_context(last_look.keep_looking(context.hypervisors))
        with stop_timeout.phase("the host goes down", LEDGER_LIMIT):
            # At the same time: a folder of saves on a network that is gone takes its time.
            looks = _begin(context, lock, up), _displaced(context, mounts)
            situation, displaced = await asyncio.gather(*looks)
        # A ledger that cannot be written does not tell of a run that has begun anew.
        situation = situation._replace(spent=max(situation.spent, begun - by.since))
        context = replace(context, gone=last_look.gone, displaced=displaced)
        with stop_timeout.phase("waiting for another run", OPERATOR + ASKED + 5):
            await held.enter_async_context(lock.hold(WHAT, OPERATOR, ask=True))
        stop = _HostStop(context, by, stop_timeout, situation, up)
        return await stop.carry_out(begun - situation.spent)


async def is_paused_by_libvirt(pauses_guests: Callable[[], Awaitable[bool]]) -> bool:
    """Whether libvirt itself pauses guests: saved so, they would stay paused once resumed."""
    try:
        return await within(A_LOOK, pauses_guests())
    except HypervisorError:
        return False


async def _displaced(context: Context, mounts: Mounts) -> frozenset[str]:
    """Saved below the mount point, guests would not be found again at boot."""
    with contextlib.suppress(HypervisorError):
        return await within(LOOK_LIMIT, mounts.displaced(context.hypervisors))
    return frozenset()


async def _begin(context: Context, lock: RunLock, up: Collection[GuestId]) -> Situation:
    """At once, since waiting for what comes next may take longer than the settle time."""
    operator_is_at_work = lock.is_held()
    everywhere = frozenset(context.hypervisors)

    def look(ledger: Ledger) -> Situation:
        shutdown = RunKind.SHUTDOWN
        doomed = ledger.runs.in_hand(context.boot, shutdown) if operator_is_at_work else ()
        return _situation(ledger, context, frozenset(doomed))

    def begin(ledger: Ledger) -> Situation | None:
        host_goes_down(ledger, context.boot)
        return look(ledger)

    nothing = Situation(everywhere, 0.0, frozenset())
    found = await context.ledger(begin, None)
    if found is None:  # a ledger on a full disk can still be read
        found = await context.ledger(look, nothing)
    return found._replace(awaited=found.awaited | {guest.uri for guest in up})


def _situation(ledger: Ledger, context: Context, doomed: frozenset[GuestId]) -> Situation:
    earlier = ledger.runs.host_stop(context.boot)
    cut_off = earlier is not None and earlier.ended is None
    boot, records = context.boot, ledger.guests().values()
    awaited = frozenset(r.id.uri for r in records if _may_be_up(r, boot, cut_off=cut_off))
    since = ledger.runs.age(earlier.id) if earlier else None
    waited = earlier is not None and not cut_off
    left = ledger.runs.left_up(earlier.id) if earlier and _is_of_this_stop(since) else ()
    return Situation(awaited, _spent(since), doomed, waited, frozenset(left))


def _may_be_up(record: GuestRecord, boot: str, *, cut_off: bool) -> bool:
    """Whether a guest was up in this boot, and no run is known to have taken it down since."""
    was_up = record.wanted is Wanted.ON and record.up_boot == boot
    return was_up and (cut_off or not record.taken_down)


def _spent(since: float | None) -> float:
    """since: how long ago an earlier run for the host's stop began, if there was one."""
    return since if since is not None and _is_of_this_stop(since) else 0.0


def _is_of_this_stop(since: float | None) -> bool:
    # Longer ago than any stop of a host can take, it was another, which did not come about.
    return since is not None and since <= FORCED


@dataclass(frozen=True)
class _HostStop:
    context: Context
    by: InForce
    stop_timeout: StopTimeout
    situation: Situation
    up: frozenset[GuestId]

    async def carry_out(self, begun: float) -> RunResult:
        context = self.context
        limit = LIBVIRTD + 2 * READ_LIMIT + LEDGER_LIMIT
        with self.stop_timeout.phase("reading the guests", limit):
            inventory = await read_all_retrying(
                context.hypervisors, self._patience(), self.situation.awaited, context.gone
            )
        self.stop_timeout.allow(PLANNING)
        config, kind, trigger = self._within_limits(begun), RunKind.PRESERVE, Trigger.HOST_STOP
        up, left, note = self.up, self.situation.left, self.by.note(begun)
        if note:
            logger.warning(note.text)
        result = await preserve(
            context, config, kind, trigger, inventory, begun=begun, note=note, up=up, left=left
        )
        if not result.lost:  # everybody was looked at: what becomes of guests now is known
            await context.ledger(lambda ledger: ledger.watches.begin(context.boot), None)
        if self.situation.doomed:
            await context.ledger(self._keep_word, None)
        return result

    def _patience(self) -> float:
        """Seconds for an unreachable libvirtd, for which an earlier run may have waited."""
        return LIBVIRTD_AGAIN if self.situation.waited else LIBVIRTD

    def _within_limits(self, begun: float) -> Config:
        shutdown = self.by.config.shutdown
        deadline = max(self.by.ends(begun) - begun, self.situation.spent + LEAST)
        stop_by = self.context.stop_by()
        if stop_by is not None and begun <= stop_by + MEANT:
            deadline = min(deadline, max(0.0, stop_by - begun))
        return replace(self.by.config, shutdown=replace(shutdown, deadline=deadline))

    def _keep_word(self, ledger: Ledger) -> None:
        for guest in self.situation.doomed:
            ledger.change(guest, operators_word)
            ledger.trail.add(guest, *OPERATORS_WORD)
        ledger.copy = CopyNeed.MAKE


async def finish(
    context: Context,
    by: InForce,
    stop_timeout: StopTimeout,
    lock: RunLock,
    last_look: LastLook,
    mounts: Mounts,
) -> RunResult | None:
    """For whoever comes after the service: finish what it began, or could not begin.

    None when nothing is left to do.
    """
    boot, config = context.boot, by.config
    earlier = await context.ledger(lambda ledger: _earlier_run(ledger, boot, config), None)
    if earlier and earlier.ended and await _everybody_is_down(context):
        await context.ledger(lambda ledger: host_goes_down(ledger, boot), None)
        return None
    return await host_stop(context, by, stop_timeout, lock, last_look, mounts)


def _earlier_run(ledger: Ledger, boot: str, config: Config) -> PastRun | None:
    """The run of before for the host's stop; stops that nobody was there to settle are settled."""
    earlier = ledger.runs.host_stop(boot)
    # Those that had settled when it began have been dealt with.
    if earlier is None:
        settle_old(ledger, boot, config.shutdown.settle)
    return earlier


async def _everybody_is_down(context: Context) -> bool:
    inventory = await read_all(context.hypervisors)
    return not inventory.lost and all(guest.down for guest in inventory.guests)
