"""What is recorded: reason trails, past runs, who is wanted off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from math import inf
from typing import TypeVar

from ..ledger.ledger import Ledger
from ..ledger.runs import KEPT_RUNS
from ..model.guest import GuestId
from ..model.history import AT_WORK, CUT_OFF, PastGuest, PastRun
from ..model.plan import RunKind
from ..model.record import Wanted
from .local import Local
from .replies import PastRunInFull, Trail
from .requests import Failure, RequestError

T = TypeVar("T")


def trail(
    local: Local, name: str, uris: Collection[str] | None, listed: Collection[GuestId]
) -> Trail:
    """What is recorded of guests of this name or UUID, oldest first.

    uris: of guests on these connections alone.  listed: those that libvirt has under that name:
    one whose settings were changed need never have run.
    """

    def read(ledger: Ledger) -> Trail | None:
        known = ledger.known_as(name)
        named = [guest for guest in known if uris is None or guest.uri in uris]
        return ledger.trail.of_all(dict.fromkeys([*named, *listed]))

    return _known(local.ask_ledger(read, None), local)


def history(
    local: Local,
    count: int,
    names: Sequence[str] = (),
    kind: RunKind | None = None,
    most: float = inf,
) -> list[PastRunInFull]:
    """The newest runs, newest first.

    names: only those with such guests, by name, UUID or pattern.  kind: only those of it.
    most: so many guests and steps of them at most; RequestError where there are more.
    """
    is_held = local.lock.is_held()

    def read(ledger: Ledger) -> list[PastRunInFull] | None:
        runs = ledger.runs.newest(KEPT_RUNS if names or kind else count)
        of_kind = (run for run in runs if kind in (None, run.kind))
        with_guests = ((run, ledger.runs.guests(run.id)) for run in of_kind)
        is_named = _Named(names)
        chosen = (pair for pair in with_guests if not names or any(map(is_named, pair[1])))
        found, left = list[PastRunInFull](), most
        for run, guests in islice(chosen, count):
            found.append(_in_full(ledger, run, guests, under_way=run is runs[0] and is_held))
            left -= len(found[-1].guests) + len(found[-1].steps)
            if left < 0 and len(found) > 1:
                text = f"cannot tell of {count} runs at once: ask for {len(found) - 1} at most"
                raise RequestError(Failure.WRONG_REQUEST, text)
        return found

    return _known(local.ask_ledger(read, None), local)


def wanted_off(local: Local) -> Collection[GuestId]:
    """Whom somebody turned off, and nobody has started since."""

    def read(ledger: Ledger) -> Collection[GuestId] | None:
        return {one for one, is_now in ledger.guests().items() if is_now.wanted is Wanted.OFF}

    return _known(local.ask_ledger(read, None), local)


class _Named:
    """Whether a guest is meant: each is looked at once, however many runs it was in."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._known: dict[tuple[str, str], bool] = {}

    def __call__(self, guest: PastGuest) -> bool:
        about = guest.name, guest.uuid
        if about not in self._known:
            self._known[about] = any(_is_meant(guest, name) for name in self._names)
        return self._known[about]


def _is_meant(guest: PastGuest, name: str) -> bool:
    return guest.name == name or guest.uuid == name.lower() or fnmatchcase(guest.name, name)


def _in_full(
    ledger: Ledger, run: PastRun, guests: list[PastGuest], *, under_way: bool
) -> PastRunInFull:
    """Guests of a run that goes on are at work, where those of one that does not were cut off."""
    under_way = under_way and run.ended is None
    if under_way:
        guests = [replace(g, outcome=AT_WORK) if g.outcome == CUT_OFF else g for g in guests]
    return PastRunInFull(run, guests, ledger.runs.steps(run.id), under_way)


def _known(answer: T | None, local: Local) -> T:
    """RequestError where there is no answer, which is not to say that nothing is recorded."""
    if answer is None:
        text = f"cannot tell: the ledger {local.ledger_path} could not be read"
        raise RequestError(Failure.NOT_ALL_WELL, text)
    return answer
