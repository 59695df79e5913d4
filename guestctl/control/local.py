"""What verbs share: configuration, connections, the ledger's place, guests by their names."""

from __future__ import annotations

import contextlib
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..cli.exits import CommandError, Exit, complain
from ..config import reading
from ..config.config import Config
from ..config.problems import ConfigError
from ..host import machine
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..host.machine import SYSTEM_STATE
from ..ledger.file import TROUBLE
from ..ledger.ledger import Ledger
from ..ledger.writer import LedgerWriter, read_ledger
from ..model.guest import GuestId
from ..model.history import Note
from ..model.ports import ErrorKind
from ..model.uris import canonical, is_system, why_remote
from ..runs.context import Inventory

LEDGER_NAME = "ledger.db"

T = TypeVar("T")


class Named(NamedTuple):
    """A guest and its name, from libvirt or from the ledger."""

    id: GuestId
    name: str


def load_config(arguments: Namespace) -> Config:
    """The configuration, its notices said; CommandError with every problem in it."""
    found = reading.read(getattr(arguments, "config", None))
    for notice in found.notices:
        complain(str(notice))
    try:
        return found.sound()
    except ConfigError as error:
        raise CommandError(Exit.WRONG_REQUEST, f"cannot use the configuration:\n{error}") from error


def uris(arguments: Namespace, settings: Config) -> tuple[str, ...]:
    """The connections to use: -c, else the configured ones."""
    connect: str | None = getattr(arguments, "connect", None)
    chosen = (connect,) if connect else settings.general.uris
    return tuple(dict.fromkeys(canonical(uri, root=machine.is_root()) for uri in chosen))


def hypervisors(chosen: Iterable[str], *, read_only: bool) -> dict[str, LibvirtHypervisor]:
    """A connection for each URI, made when first used."""
    return {uri: LibvirtHypervisor(uri, read_only=read_only) for uri in chosen}


def refuse_remote(chosen: Iterable[str]) -> None:
    """CommandError for a URI of another host."""
    for uri in chosen:
        if reason := why_remote(uri):
            raise CommandError(
                Exit.WRONG_REQUEST,
                f"cannot act on {uri}: {reason}, and the checks before a resume need the files"
                " of the host that runs the guests; run guestctl there",
            )


def refuse_unprivileged(chosen: Iterable[str]) -> None:
    """CommandError where a user would act on the system's guests beside the host's ledger."""
    system = [uri for uri in chosen if is_system(uri)]
    if system and not machine.is_root():
        raise CommandError(
            Exit.NOT_PERMITTED,
            f"cannot act on {system[0]} as this user: what is wanted of the host's guests is"
            f" kept in {SYSTEM_STATE}, for root; use sudo",
        )


def refuse_unreachable(seen: Inventory, chosen: Collection[str]) -> None:
    """CommandError when not one connection could be read."""
    if len(seen.lost) == len(chosen):
        raise CommandError(unreachable_status(seen), "\n".join(seen.lost_reasons.values()))


def unreachable_status(seen: Inventory) -> Exit:
    """The exit status when no connection could be read."""
    kinds = {error.kind for error in seen.lost.values()}
    return Exit.NOT_PERMITTED if kinds == {ErrorKind.NOT_PERMITTED} else Exit.NO_HYPERVISOR


def complain_of_lost(seen: Inventory) -> None:
    """Name each connection that could not be read."""
    for error in seen.lost.values():
        complain(str(error))


def ledger_path() -> Path:
    """The ledger of whoever runs this."""
    return machine.state_folder() / LEDGER_NAME


@contextlib.contextmanager
def scribe() -> Iterator[LedgerWriter]:
    """The ledger of whoever runs this, to be written to."""
    writer = LedgerWriter(ledger_path(), time.time_ns, complain)
    try:
        yield writer
    finally:
        writer.close()


def ask_ledger(question: Callable[[Ledger], T], default: T) -> T:
    """What the ledger answers, for verbs that only show it; the default when it cannot."""
    path = ledger_path()
    ledger = read_ledger(path, time.time_ns, complain)
    try:
        return question(ledger)
    except TROUBLE as error:
        complain(f"cannot read the ledger {path}: {error}")
        return default
    finally:
        ledger.db.close()


def complain_of_blindness(chosen: Iterable[str]) -> None:
    """A user sees libvirt's side of the host's guests only."""
    if not machine.is_root() and any(map(is_system, chosen)):
        complain(f"what is wanted of the host's guests, in {SYSTEM_STATE}, only root can read")


def note(arguments: Namespace) -> Note | None:
    """What the operator said about why (--reason), if anything."""
    text: str | None = arguments.reason
    return Note(f"operator:{machine.operator()}", text) if text else None


def find(names: Sequence[str], guests: Collection[Named]) -> frozenset[GuestId]:
    """Guests by name or UUID; CommandError for each that is not found or not clear."""
    found, problems = set(), []
    for name in names:
        ids = _matching(name, guests)
        if len(ids) == 1:
            found.update(ids)
        else:
            problems.append(_why_not_found(name, ids))
    if problems:
        raise CommandError(Exit.WRONG_REQUEST, "\n".join(problems))
    return frozenset(found)


def _matching(name: str, guests: Collection[Named]) -> set[GuestId]:
    by_name = {guest.id for guest in guests if guest.name == name}
    return by_name or {guest.id for guest in guests if guest.id.uuid == name.lower()}


def _why_not_found(name: str, ids: set[GuestId]) -> str:
    if not ids:
        return f'cannot find "{name}": no guest has this name or UUID'
    where = ", ".join(f"{guest.uuid} on {guest.uri}" for guest in sorted(ids))
    return f'cannot tell which "{name}" is meant: {where}; give the UUID, or -c URI'


def names_of(seen: Inventory) -> list[Named]:
    """The guests that libvirt knows."""
    return [Named(guest.id, guest.name) for guest in seen.guests]
