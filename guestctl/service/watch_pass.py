"""One look of the service at guests of a connection: read what is known, decide, write, once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..decisions import settling
from ..decisions.reconcile import reconcile
from ..decisions.wanted import Watched
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.record import GuestRecord, Wanted, undecided
from ..model.stop import StoppedBy

#: From so many guests on all of a connection are read in one go, and all records.
MANY = 8


class InHand(NamedTuple):
    """Before guests are looked at: whom a run has in hand, and a number for those to come."""

    newest: int = 0
    guests: frozenset[GuestId] = frozenset()


class Remark(NamedTuple):
    """What a guest's trail is told, beside a verdict; was_held: somebody acted against a hold."""

    guest: GuestFacts
    text: str
    was_held: bool


@dataclass
class Noticed:
    """Who is to be looked at again, who was stopped just now, who is to be started again, and
    what else there is to be said."""

    in_hand: set[GuestId]
    stopped: list[GuestRecord] = field(default_factory=list)
    to_restart: list[GuestRecord] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True)
class WatchPass:
    """What was seen of guests, and what there is to go by.

    seen, gone: of the guests looked at, those that are listed, and those that were undefined.
    watched: what was heard of their stops.
    in_hand: from before they were looked at; what was seen of a guest that a run has dealt with
    meanwhile is not true any more.
    live: what is seen has happened just now, as events told.  first: since the start.
    untold: what was found before may have been written without anybody being told.
    """

    boot: str
    seen: Collection[GuestFacts]
    gone: Collection[GuestId]
    watched: Mapping[GuestId, Watched]
    in_hand: InHand
    live: bool
    first: bool
    untold: bool

    def write(self, ledger: Ledger, in_hand: Collection[GuestId]) -> Noticed:
        """Bring the ledger in line; in_hand: whom a run has in hand now."""
        met = {*(facts.id for facts in self.seen), *self.gone}
        begun = ledger.runs.begun_since(self.in_hand.newest)
        busy = {*self.in_hand.guests, *in_hand, *begun} & met
        noticed = Noticed(busy)
        free = [facts for facts in self.seen if facts.id not in busy]
        records = self._records(ledger, free)
        for facts in free:
            self._notice(ledger, records.get(facts.id), facts, noticed)
        for guest in self.gone:
            if guest not in busy:
                ledger.change(guest, undecided)
        return noticed

    def _records(
        self, ledger: Ledger, guests: Collection[GuestFacts]
    ) -> dict[GuestId, GuestRecord]:
        if len(guests) >= MANY:
            return ledger.guests(self.boot)
        return ledger.records([facts.id for facts in guests], self.boot)

    def _of_this_life(self, ledger: Ledger, facts: GuestFacts) -> Watched:
        """A stop of libvirt-guests is of an earlier one where a run brought the guest up since."""
        watched, now = self.watched[facts.id], ledger.now()
        if watched.rival is None:
            return watched
        up_for = now.seconds_since(self.boot, ledger.runs.brought_up(facts.id, self.boot))
        is_over = up_for is not None and up_for < now.awake / 1e9 - watched.rival.began
        return replace(watched, rival=None) if is_over else watched

    def _of_before(self, ledger: Ledger, record: GuestRecord | None, facts: GuestFacts) -> Watched:
        watched = self._of_this_life(ledger, facts)
        if record is None or record.followed_in in (None, self.boot):
            return watched
        return replace(watched, left_alone=record.followed_in in ledger.watches.ended())

    def _notice(
        self, ledger: Ledger, record: GuestRecord | None, facts: GuestFacts, noticed: Noticed
    ) -> None:
        watched = self._of_before(ledger, record, facts)
        found = reconcile(record, facts, ledger.now(), watched)
        desired, update = found
        restarts = desired.wanted is Wanted.ON and desired.stopped_by is StoppedBy.USER
        settles = self.live and not restarts and settling.must_settle(found)
        if update is not None:
            ledger.apply(settling.begin(update, self.boot) if settles else update)
            was_held = record is not None and record.hold is not None
            noticed.remarks += [Remark(facts, note.text, was_held) for note in update.remarks]
        if not (restarts or settles or self.untold) or (after := ledger.guest(facts.id)) is None:
            return
        if restarts and (desired.verdict or self.first or self.untold):
            noticed.to_restart.append(after)
        elif settles or (self.untold and after.settling == self.boot):
            noticed.stopped.append(after)
