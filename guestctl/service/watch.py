"""Follows the guests of one connection all the time, and keeps the ledger true.

Level-triggered: an event says whom to look at, and what is then seen is what counts.  After a
connection that broke all guests are looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..control.log_fields import of_guest
from ..decisions.policy import resolve
from ..decisions.wanted import Watched
from ..ledger.ledger import Ledger
from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestFacts, GuestId, State
from ..model.options import UserAction
from ..model.ports import READ_LIMIT, ErrorKind, Hypervisor, HypervisorError, within
from ..model.record import GuestRecord
from ..model.report import count_up
from ..runs.context import LOOK_LIMIT, with_domain_info
from .due import Due
from .event_history import EventHistory
from .rival import RivalWords, ask
from .state import ServiceState
from .watch_pass import MANY, InHand, Noticed, WatchPass

logger = logging.getLogger(__name__)

#: Between attempts to reach a hypervisor that is not there: at first, and at most.
PAUSE, MOST_PAUSE = 1.0, 30.0
#: How often guests that a run has in hand are looked at, until it lets go of them.
HANDS_OFF = 1.0
#: A guest that has shut down is off within moments, unless something keeps its QEMU.
LINGERS = 5.0
#: Until what could not be written down is looked at again.
WRITE_AGAIN = 30.0
#: An outage of libvirt, or of the service, that is no longer does not hide when guests stopped.
JUST_NOW = 90.0
#: For the settings in the XML of guests that stopped: without them the host's count.
POLICY_LIMIT = 2.0
#: libvirt's words for a guest that it has paused for its own sake, and nobody else.  A client that
#: pauses one that migrates, or has a snapshot made, has these words instead (qemuDomainSuspend).
_ITS_OWN = ("starting up", "saving", "dumping")
NOT_YET = "not connected yet"
#: What says nothing of a guest's state; libvirt's own events follow.
_ASIDE = (EventKind.MONITOR, EventKind.AGENT)


class Told(NamedTuple):
    """Who is told what a Watch sees.

    on_change: guests came up, were paused or went down, or the connection did.  on_stop: somebody
    stopped one, and its settle time begins.  on_restart: its user did, and policy is to start it.
    on_stir: what guests may need, other guests included, or their definition, came or went: where
    it is that, the guest that was started.
    """

    on_change: Callable[[], None]
    on_stop: Callable[[GuestRecord], None]
    on_restart: Callable[[GuestRecord], None]
    on_stir: Callable[[GuestId | None], None]


class Watch:
    """One connection, followed by `follow`, which never returns.

    up: guests that would lose their memory with the host, by name.  paused: since when a guest is
    paused, on the loop's clock; for ever where it was found so.  trouble: why the connection cannot
    be used, empty while it can.
    Connecting, reading and telling stay together: an outage in any of them begins all anew.
    """

    def __init__(
        self, state: ServiceState, hypervisor: Hypervisor, told: Told, away: float = float("inf")
    ) -> None:
        """away: for how many seconds nobody had watched this host before."""
        self.up: dict[GuestId, str] = {}
        self.paused: dict[GuestId, float] = {}
        self.trouble = NOT_YET
        self._state = state
        self._hypervisor = hypervisor
        self._told = told
        self._history = EventHistory()
        #: Whether the last attempt to connect worked, and since when nobody watches.
        self._reached = False
        self._away_since = asyncio.get_running_loop().time() - away
        #: Of a boot that began without guestctl nobody knows when its guests stopped.
        self._is_as_found = state.is_as_found(hypervisor.uri)
        self._untold = False
        self._due = Due()

    async def follow(self) -> None:
        """Connect, read everything, then whatever there is news of; again when it breaks."""
        end_around = self._hypervisor.listen_around(self._stir)
        unsubscribe = self._hypervisor.listen(self._on_event)
        pause = PAUSE
        try:
            while True:
                try:
                    await self._follow_once()
                except HypervisorError as error:
                    self._lost(str(error), disconnected=error.kind is ErrorKind.UNREACHABLE)
                except Exception as error:  # noqa: BLE001 - looked at anew, as after an outage
                    self._lost(f"internal error: {error!r}", disconnected=True)
                pause = PAUSE if self._reached else pause
                self._reached = False
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_PAUSE)
        finally:
            unsubscribe()
            end_around()

    def _stir(self, started: GuestId | None = None) -> None:
        self._told.on_stir(started)

    def read_all_again(self) -> None:
        """What was noticed may not be in the ledger: everybody is read anew."""
        self._due.add_all()

    def _on_event(self, event: GuestEvent) -> None:
        self._history.add(event)
        if event.kind is EventKind.DEFINED:
            self._stir()  # a guest may have waited for its definition
        elif event.kind is EventKind.STARTED:
            self._stir(event.guest)  # or for the other guest
        if event.kind not in _ASIDE:
            self._due.add(event.guest)

    def _lost(self, why: str, *, disconnected: bool) -> None:
        if not self.trouble or self.trouble == NOT_YET:
            logger.warning(f"connection lost: {why}")
        if not self.trouble:
            self._away_since = asyncio.get_running_loop().time()
            self._is_as_found = False
        if disconnected:
            self._history.end()
        # libvirt says the same thing in several ways: what changes is for the status only.
        self.trouble = why
        self._told.on_change()

    @property
    def _was_away_shortly(self) -> bool:
        """Whether what happened meanwhile has happened just now."""
        away = asyncio.get_running_loop().time() - self._away_since
        return away < JUST_NOW and not self._is_as_found

    async def _follow_once(self) -> None:
        disconnected = await within(READ_LIMIT, self._hypervisor.subscribe())
        since = asyncio.get_running_loop().time()
        self._history.begin(since, monitored=self._hypervisor.monitored)
        await self._read_all(live=self._was_away_shortly, first=True)
        self._reached = True
        self.trouble = ""
        self._told.on_change()
        self._stir()
        logger.info(f"connected to {self._hypervisor.uri}: {count_up(len(self.up))}")
        await self._find_agents()
        while not disconnected.is_set():
            await self._due.wait(disconnected)
            await self._read_due()
        text = f"{self._hypervisor.uri}: the connection broke"
        raise HypervisorError(ErrorKind.UNREACHABLE, text)

    async def _find_agents(self) -> None:
        """Of guests that run already: their agents were connected before anybody listened."""
        if not (self.up and self._hypervisor.monitored):
            return
        uuids = [guest.uuid for guest in self.up]
        with contextlib.suppress(HypervisorError):  # without an answer no agent is known of
            domain_info = await within(LOOK_LIMIT, self._hypervisor.domain_info(uuids))
            for guest, name in self.up.items():
                if guest.uuid in domain_info and domain_info[guest.uuid].has_agent:
                    self._history.add(GuestEvent(guest, name, EventKind.AGENT, "connected"))

    async def _read_due(self) -> None:
        due, everybody = self._due.take()
        if everybody or len(due) >= MANY:
            await self._read_all(live=True, due=due)
        else:
            await self._read_some(due)

    async def _read_some(self, guests: Collection[GuestId]) -> None:
        in_hand = await self._in_hand()
        reads = [self._observe(guest) for guest in guests]
        found = [read for read in await asyncio.gather(*reads) if read is not None]
        seen = [facts for _, facts in found if facts is not None]
        gone = [guest for guest, facts in found if facts is None]
        await self._take_notice(in_hand, seen, gone, live=True)

    async def _observe(self, guest: GuestId) -> tuple[GuestId, GuestFacts | None] | None:
        """The guest's facts, None for one that is gone; None in all where it cannot be read now.

        One whose QEMU hangs must not keep anybody from following the others.
        """
        try:
            return guest, await within(READ_LIMIT, self._hypervisor.observe(guest.uuid))
        except HypervisorError as error:
            if error.kind is ErrorKind.UNREACHABLE:
                raise
            self._due.add_later({guest}, WRITE_AGAIN)
            return None

    async def _read_all(
        self, *, live: bool, due: Collection[GuestId] = (), first: bool = False
    ) -> None:
        """due: who is known to have been there; those that are not any more are gone."""
        in_hand = await self._in_hand()
        seen = await within(READ_LIMIT, self._hypervisor.guests())
        listed = {facts.id for facts in seen}
        self._count([], [guest for guest in self.up if guest not in listed])
        gone = [guest for guest in due if guest not in listed]
        await self._take_notice(in_hand, seen, gone, live=live, first=first)

    async def _in_hand(self) -> InHand:
        def ask(ledger: Ledger) -> InHand:
            return InHand(ledger.runs.newest_begun(), frozenset(self._in_hand_now(ledger)))

        return await self._state.context.ledger(ask, InHand())

    def _in_hand_now(self, ledger: Ledger) -> set[GuestId]:
        boot = self._state.boot
        return ledger.runs.in_hand(boot) if self._state.is_run_under_way() else set()

    async def _take_notice(
        self,
        in_hand: InHand,
        seen: Collection[GuestFacts],
        gone: Collection[GuestId],
        *,
        live: bool,
        first: bool = False,
    ) -> None:
        """live: what is seen has happened just now, as events told; first: since the start."""
        self._count(seen, gone, first=first)
        seen = await self._with_own_policy(seen, in_hand.guests)
        rival = await self._ask_rival(seen, in_hand.guests, first=first)
        watched = {facts.id: self._watched(facts, rival) for facts in seen}
        no_more = [guest for guest in gone if self._history.was_undefined(guest)]
        made = WatchPass(
            self._state.boot, seen, no_more, watched, in_hand, live, first, self._untold
        )
        noticed = await self._state.context.ledger(
            lambda ledger: made.write(ledger, self._in_hand_now(ledger)), None
        )
        # It may be written all the same, when the disk answers: nobody is told of it then.
        self._untold = noticed is None
        if noticed is None:
            self._due.add_later({*watched, *gone}, WRITE_AGAIN)
        else:
            self._tell(noticed, watched, gone)

    def _tell(
        self, noticed: Noticed, watched: Mapping[GuestId, Watched], gone: Collection[GuestId]
    ) -> None:
        for record in noticed.stopped:
            self._told.on_stop(record)
        for record in noticed.to_restart:
            self._told.on_restart(record)
        for guest_seen, text, was_held in noticed.remarks:
            level = logging.WARNING if was_held else logging.INFO
            extra = of_guest(guest_seen.name, guest_seen.id)
            logger.log(level, f"{guest_seen.name}: {text}", extra=extra)
        for guest in gone:
            self._history.forget(guest)
        for guest, stop in watched.items():
            if stop.heard and not stop.lingers and guest not in noticed.in_hand:
                self._history.dealt_with(guest, stop.heard)
        if noticed.in_hand:
            self._due.add_later(noticed.in_hand, HANDS_OFF)

    def _lingers(self, facts: GuestFacts) -> bool:
        """Whether it shut itself down a while ago, and its QEMU has not ended."""
        ended = self._history.ended_at(facts.id) if facts.started else None
        if ended is None:
            return False
        left = ended + LINGERS - asyncio.get_running_loop().time()
        if left > 0:
            self._due.add_later({facts.id}, left)
        return left <= 0

    async def _with_own_policy(
        self, seen: Collection[GuestFacts], in_hand: Collection[GuestId]
    ) -> Collection[GuestFacts]:
        """Those that stopped, and not by a run's hand, with what their XML says of what comes of
        that; as they are where it does not answer at once: that they stopped has to be written."""
        if not self._state.config.general.metadata:
            return seen
        stopped = [facts for facts in seen if facts.id not in in_hand and self._has_stopped(facts)]
        if not stopped:
            return seen
        hypervisors = {self._hypervisor.uri: self._hypervisor}
        try:
            async with asyncio.timeout(POLICY_LIMIT):
                read = await with_domain_info(hypervisors, stopped)
        except TimeoutError:
            return seen
        known = {facts.id: facts for facts in read}
        return [known.get(facts.id, facts) for facts in seen]

    def _has_stopped(self, facts: GuestFacts) -> bool:
        lingers = self._lingers(facts)
        return bool((facts.down or lingers) and self._history.of_stop(facts.id))

    async def _ask_rival(
        self, seen: Collection[GuestFacts], in_hand: Collection[GuestId], *, first: bool
    ) -> RivalWords:
        """Of guests that went down just now, or were found off, and not by a run's hand."""
        free = [facts for facts in seen if facts.id not in in_hand]
        off = free if first else [facts for facts in free if self._has_stopped(facts)]
        return await ask(self._state.rival, off, self._away_since if first else None)

    def _watched(self, facts: GuestFacts, rival: RivalWords) -> Watched:
        policy = resolve(self._state.config, facts).user_shutdown
        lingers = self._lingers(facts) and policy.action is not UserAction.RESTART
        heard = self._history.of_stop(facts.id) if facts.down or lingers else None
        was_started = self._history.was_started(facts.id)
        started_as = self._history.started_as(facts.id)
        if facts.started:
            self._history.seen_up(facts.id)
        if facts.persistent:
            self._history.seen_defined(facts.id)
        window, action = policy.request_window, policy.action
        as_found = self._state.is_as_found(facts.id.uri)
        made = Watched(heard, None, window, action, was_started, started_as, as_found)
        return replace(made, lingers=lingers, rival=rival.about(facts, heard=heard is not None))

    def _count(
        self, seen: Iterable[GuestFacts], gone: Iterable[GuestId], *, first: bool = False
    ) -> None:
        before = dict(self.up), dict(self.paused)
        now = float("-inf") if first else asyncio.get_running_loop().time()
        for guest in gone:
            self.up.pop(guest, None)
        for facts in seen:
            if facts.up:
                self.up[facts.id] = facts.name
            elif facts.down:
                self.up.pop(facts.id, None)
            if facts.state is not State.PAUSED:
                self.paused.pop(facts.id, None)
            elif facts.reason not in _ITS_OWN:
                self.paused.setdefault(facts.id, now)
        if (self.up, self.paused) != before:
            self._told.on_change()
