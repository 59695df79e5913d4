"""What is asked of guestctl: requests, the errors that they can end with, guests by their names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..config.config import Config
from ..decisions.profiles import why_unknown
from ..model.guest import GuestId
from ..model.near import nearest
from ..model.options import SaveDecision
from ..model.plan import RunKind
from ..model.report import Listener
from ..model.result import Trigger
from ..model.uris import is_system, why_remote
from .failure import Detached as Detached
from .failure import Failure as Failure
from .failure import RequestError as RequestError
from .failure import unreachable as unreachable

#: Who is meant: a name or a UUID that was typed, or a guest that is known already.
Who = str | GuestId


def word(name: Who) -> str:
    """What a guest is called."""
    return name if isinstance(name, str) else name.uuid


@dataclass(frozen=True)
class Down:
    """Take guests down: these, or all that are up where none is named.

    within: seconds that it may take in all, instead of [shutdown] deadline, since `begun` on the
    monotonic clock.  reason: what the operator says about why.  profile: whose settings are used.
    sheds: the host stays up; where none is named, see decisions.shedding.Whom.  order: those with
    this number or a higher one.  without_ledger: also where nobody will remember it.
    """

    kind: RunKind
    names: Sequence[Who]
    begun: float
    within: float | None = None
    reason: str | None = None
    profile: str | None = None
    sheds: bool = False
    order: int | None = None
    without_ledger: bool = False

    @property
    def trigger(self) -> Trigger:
        """That of the run."""
        return Trigger.SHED if self.sheds else Trigger.COMMAND


@dataclass(frozen=True)
class Up:
    """Start or resume guests: these, or all that are wanted on where none is named.

    decision: what a person decided about their saves.  reason: what they say about why.
    run: instead of names, the guests that this run took down.
    shed: just those that are shed, of these or of all.
    """

    names: Sequence[Who]
    decision: SaveDecision | None = None
    reason: str | None = None
    run: int | None = None
    shed: bool = False

    @property
    def trigger(self) -> Trigger:
        """That of the run."""
        return Trigger.RESUME if self.shed else Trigger.COMMAND


@dataclass(frozen=True)
class Shown:
    """Who is told of a run, and whether progress of saves is shown.

    as_of: told, before each event of a run of the service, when that was, in seconds on the
    monotonic clock.  away: the terminal is polkit's meanwhile, which may ask for a password.
    """

    listener: Listener
    follows_progress: bool = False
    as_of: Callable[[float], None] = lambda _: None
    away: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True)
class PolicyRequest:
    """given: keys and values that the guest's own XML is to have.  dropped: keys that it is not
    to have.  reason: what the operator says about why."""

    guest: str
    given: Sequence[tuple[str, str]]
    dropped: Sequence[str]
    reason: str | None = None


class Named(NamedTuple):
    """A guest and its name, from libvirt or from the ledger."""

    id: GuestId
    name: str


#: Of so many names that are not found it is looked what may have been meant: that takes long.
MOST_HINTS = 3


def find(
    names: Sequence[Who],
    guests: Collection[Named],
    *,
    patterns: bool = False,
    hints: int = MOST_HINTS,
) -> frozenset[GuestId]:
    """Guests by name or UUID; RequestError for each that is not found or not clear.

    patterns: also by patterns as the shell has them, each of which must match some guest.
    hints: for how many names it is said what may have been meant.
    """
    known = _Known(guests)
    found, problems = set[GuestId](), list[str]()
    for name in names:
        ids = known.matching(name)
        matched = _matched(name, guests) if patterns and not ids else set()
        if len(ids) == 1 or matched:
            found.update(ids or matched)
        else:
            asked = guests if len(problems) < hints else ()
            problems.append(_why_not_found(name, ids, asked, patterns=patterns))
    if problems:
        raise RequestError(Failure.WRONG_REQUEST, "\n".join(problems))
    return frozenset(found)


class _Known:
    """Guests by what they are called: there may be thousands, and as many names."""

    def __init__(self, guests: Collection[Named]) -> None:
        self._by_name: dict[str, set[GuestId]] = {}
        self._by_uuid: dict[str, set[GuestId]] = {}
        for guest in guests:
            self._by_name.setdefault(guest.name, set()).add(guest.id)
            self._by_uuid.setdefault(guest.id.uuid, set()).add(guest.id)

    def matching(self, name: Who) -> set[GuestId]:
        """Those of this name, else of this UUID."""
        if isinstance(name, GuestId):
            return {name} & self._by_uuid.get(name.uuid, set())
        return self._by_name.get(name) or self._by_uuid.get(name.lower(), set())


def is_pattern(name: Who) -> bool:
    """Whether it can stand for names other than itself."""
    return isinstance(name, str) and any(character in name for character in "*?[")


def _matched(pattern: Who, guests: Collection[Named]) -> set[GuestId]:
    if isinstance(pattern, GuestId) or not is_pattern(pattern):
        return set()
    return {guest.id for guest in guests if fnmatchcase(guest.name, pattern)}


def _why_not_found(
    name: Who, ids: set[GuestId], guests: Collection[Named], *, patterns: bool
) -> str:
    if isinstance(name, GuestId):
        return f"cannot find {name.uuid} on {name.uri}: there is no such guest"
    if not ids and not patterns and is_pattern(name):
        return f'cannot find "{name}": no guest has this name, and patterns are not taken here'
    if not ids:
        near = nearest(name, sorted({guest.name for guest in guests}))
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f'cannot find "{name}": no guest has this name or UUID{hint}'
    where = ", ".join(f"{guest.uuid} on {guest.uri}" for guest in sorted(ids))
    return f'cannot tell which "{name}" is meant: {where}; give the UUID, or -c URI'


def refuse_remote(uris: Iterable[str]) -> None:
    """RequestError for a URI of another host."""
    for uri in uris:
        if reason := why_remote(uri):
            raise RequestError(
                Failure.WRONG_REQUEST,
                f"cannot act on {uri}: {reason}, and the checks before a resume need the files"
                " of the host that runs the guests; run guestctl there",
            )


def refuse_unprivileged(uris: Iterable[str], ledger: str) -> None:
    """RequestError where a user would act on the system's guests beside the host's ledger.

    ledger: where that is.
    """
    if system := next(filter(is_system, uris), None):
        raise RequestError(
            Failure.NOT_PERMITTED,
            f"cannot act on {system} as this user: what is wanted of the host's guests is"
            f" kept in {ledger}, for root; use sudo",
        )


def refuse_unknown_profile(config: Config, profile: str | None) -> None:
    """RequestError for one that is named, and that the configuration does not have."""
    if profile and (reason := why_unknown(config, profile)):
        raise RequestError(Failure.WRONG_REQUEST, reason)
