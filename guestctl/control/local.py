"""Answering in this process: its connections, its ledger, and what its runs act in.

Where guestctl's parts come together without a service; service/daemon.py is the other place.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from ..config.config import Config
from ..host import journal, machine, stop_deadline, tasks
from ..host.libvirt import autostart
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..host.locks import HostRunLock
from ..host.probe import HostProbe
from ..host.storage import HostStorage
from ..host.systemd import is_stopping_retrying
from ..ledger.file import TROUBLE, connect, transaction
from ..ledger.ledger import Ledger
from ..ledger.opening import damaged_ledgers, read_ledger
from ..ledger.second_copy import SecondCopy
from ..ledger.writer import LEDGER_LIMIT, LedgerWriter
from ..model.guest import GuestId
from ..model.history import Actor
from ..model.instant import Instant
from ..model.policy_change import PolicyChange
from ..model.ports import (
    CALL_LIMIT,
    ErrorKind,
    HypervisorError,
    RunLock,
    Storage,
    within,
)
from ..model.report import Listener
from ..model.uris import is_system
from ..runs.context import Context, Inventory, read_all, with_domain_info, with_marks
from .command_line import command_line
from .configured import uris_of
from .requests import (
    Failure,
    RequestError,
    refuse_remote,
    refuse_unprivileged,
    unreachable,
)
from .shown_held import shows_held

LEDGER_NAME = "ledger.db"
#: Seconds for a look into the ledger's folder.
A_LOOK = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class Local:
    """guestctl in this process.

    uris: connections to use; those of the configuration, unless one was named.
    complain: told of what goes wrong and ends nothing.
    makeshift: whether the configuration is used in place of one that has mistakes.
    asked_by: on whose behalf, where that is not whoever runs this process.  logs: whether what is
    logged goes to the journal as it is, as the service's does.
    Half of the methods are facts of this machine, of a line each.
    """

    config: Config
    uris: tuple[str, ...]
    complain: Callable[[str], None]
    storage: Storage = field(default_factory=HostStorage)
    makeshift: bool = False
    asked_by: Actor | None = None
    logs: bool = False

    # Facts of this machine

    @property
    def boot(self) -> str:
        """The id of the host's boot."""
        return machine.boot_id()

    def now(self) -> Instant:
        """This moment."""
        return machine.now()

    @property
    def ledger_path(self) -> Path:
        """The ledger of whoever runs this."""
        return machine.state_folder() / LEDGER_NAME

    @property
    def lock(self) -> RunLock:
        """One run at a time."""
        return HostRunLock(machine.run_folder(), self.complain)

    @property
    def actor(self) -> Actor:
        """Who asks, and what was typed."""
        return self.asked_by or machine.actor(command_line())

    @property
    def sees_all(self) -> bool:
        """Whether what is wanted of the guests can be read; a user cannot read the host's."""
        return machine.is_root() or not any(map(is_system, self.uris))

    @property
    def is_hosts(self) -> bool:
        """Whether the ledger is the host's, and not a user's own."""
        return machine.is_root()

    @property
    def run_folder(self) -> Path:
        """Where the service of these connections says how it goes."""
        system = any(map(is_system, self.uris))
        return machine.SYSTEM_RUN if system else machine.run_folder()

    @property
    def owns_next_boot(self) -> bool:
        """Whether guestctl does libvirt's autostart at the next boot."""
        return autostart.is_ours_at_next_boot()

    def refuse_to_act(self) -> None:
        """RequestError where this process cannot, or must not, act on these connections."""
        refuse_remote(self.uris)
        if not machine.is_root():
            refuse_unprivileged(self.uris, str(machine.SYSTEM_STATE))

    # Reading

    async def read(self, *, domain_info: bool = False) -> Inventory:
        """All guests; domain_info: with what their XML says."""
        if why := self.in_vain:
            return self._not_asked(why)
        hypervisors = {uri: LibvirtHypervisor(uri, read_only=True) for uri in self.uris}
        try:
            return await self._read(hypervisors, domain_info=domain_info)
        finally:
            await self.let_go(hypervisors.values())

    @property
    def in_vain(self) -> str:
        """Why libvirt is not asked now; empty where it is."""
        return ""

    def _not_asked(self, why: str) -> Inventory:
        kind = ErrorKind.NO_ANSWER
        lost = {uri: HypervisorError(kind, f"cannot ask {uri}: {why}") for uri in self.uris}
        for error in lost.values():
            self.complain(str(error))
        return Inventory((), lost)

    async def let_go(self, hypervisors: Iterable[LibvirtHypervisor]) -> None:
        """They are not needed any more; they end with the process, and no daemon is waited for."""

    async def _read(
        self, hypervisors: dict[str, LibvirtHypervisor], *, domain_info: bool
    ) -> Inventory:
        inventory = await read_all(hypervisors)
        for error in inventory.lost.values():
            self.complain(str(error))
        if not domain_info:
            return inventory
        read = {uri: it for uri, it in hypervisors.items() if uri not in inventory.lost}
        guests = await with_domain_info(read, inventory.guests)
        return replace(inventory, guests=await with_marks(read, guests))

    def ask_ledger(self, question: Callable[[Ledger], T], default: T) -> T:
        """What the ledger answers, for requests that only read; the default when it cannot."""
        try:
            return tasks.in_time(LEDGER_LIMIT, lambda: self._ask_ledger(question, default))
        except TimeoutError:
            text = f"the ledger {self.ledger_path} did not answer for {LEDGER_LIMIT:g} s"
            self.complain(f"cannot read the ledger: {text}")
            return default

    def _ask_ledger(self, question: Callable[[Ledger], T], default: T) -> T:
        path = self.ledger_path
        ledger = read_ledger(path, machine.now, self.complain)
        try:
            # A stand-in knows of nothing, which is no answer.
            return question(ledger) if ledger.remembers else default
        except TROUBLE as error:
            self.complain(f"cannot read the ledger {path}: {error}")
            return default
        finally:
            ledger.db.close()

    def damaged_ledgers(self) -> list[Path]:
        """Ledgers that were set aside; none where their disk does not answer."""
        try:
            return tasks.in_time(A_LOOK, lambda: damaged_ledgers(self.ledger_path))
        except TimeoutError:
            return []

    def write_ledger(self, work: Callable[[Ledger], T]) -> T:
        """Work in one transaction of the ledger; RequestError where it cannot be written."""
        try:
            return tasks.in_time(LEDGER_LIMIT, lambda: self._write_ledger(work))
        except TimeoutError as error:
            text = f"the ledger {self.ledger_path} did not answer for {LEDGER_LIMIT:g} s"
            late = "it may be written yet"
            raise RequestError(Failure.NOT_ALL_WELL, f"{text}: {late}") from error

    def _write_ledger(self, work: Callable[[Ledger], T]) -> T:
        path = self.ledger_path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.closing(connect(path)) as db, transaction(db):
                ledger = Ledger(db, machine.now)
                answer = work(ledger)
                shows_held(self._refuses_starts)(ledger)
                SecondCopy(machine.copy_folder()).spend()
                return answer
        except TROUBLE as error:
            text = f"cannot write to the ledger {path}: {error}"
            raise RequestError(Failure.NOT_ALL_WELL, text) from error

    def _refuses_starts(self) -> bool:
        return self.config.boot.refuse_starts

    # Acting

    def journal(self) -> AbstractContextManager[None]:
        """What is logged meanwhile goes to the journal, where there is one."""
        return contextlib.nullcontext() if self.logs else journal.started(or_stderr=False)

    def act(
        self,
        work: Callable[[Context], Awaitable[T]],
        listener: Listener,
        *,
        follows_progress: bool = False,
        actor: Actor | None = None,
    ) -> T:
        """Do the work in an event loop of its own, with connections and a ledger to act with.

        actor: whose command it is; None for a unit's.
        """
        with self._writer() as ledger:
            return asyncio.run(self._act(work, ledger, listener, follows_progress, actor))

    async def _act(
        self,
        work: Callable[[Context], Awaitable[T]],
        ledger: LedgerWriter,
        listener: Listener,
        follows_progress: bool,
        actor: Actor | None,
    ) -> T:
        task = asyncio.current_task()
        assert task is not None
        # As Ctrl-C does: no further step is begun, a save under way is aborted.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        hypervisors = {uri: LibvirtHypervisor(uri) for uri in self.uris}
        context = Context(
            hypervisors,
            self.storage,
            ledger,
            listener,
            machine.now,
            self.boot,
            follows_progress=follows_progress,
            actor=actor,
            stop_by=lambda: stop_deadline.kept(machine.run_folder()),
            probe=HostProbe(),
            host_stops=_host_stops,
        )
        return await work(context)

    def change_policy(self, guest: GuestId, change: PolicyChange) -> str:
        """Hypervisor.change_policy, in time.  Raises HypervisorError."""
        hypervisor = LibvirtHypervisor(guest.uri)

        async def work() -> str:
            try:
                return await within(CALL_LIMIT, hypervisor.change_policy(guest.uuid, change))
            finally:
                await self.let_go([hypervisor])

        return asyncio.run(work())

    def keep_stop_deadline(self, ends: float | None) -> None:
        """By when, on the monotonic clock, a person wants the host's stop to be through.

        None: they say so no longer.  Not worth failing for.
        """
        folder = machine.run_folder()
        try:
            stop_deadline.say(folder, ends)
        except OSError as error:
            self.complain(f"the host's stop will not know of this deadline: {error}")

    @contextlib.contextmanager
    def _writer(self) -> Iterator[LedgerWriter]:
        shows = shows_held(self._refuses_starts)
        copy = SecondCopy(machine.copy_folder())
        writer = LedgerWriter(self.ledger_path, machine.now, self.complain, shows, copy)
        try:
            yield writer
        finally:
            writer.close()


async def _host_stops() -> bool:
    """Without an answer it does not."""
    return bool(await is_stopping_retrying())


def open_local(config: Config, connect: str | None, complain: Callable[[str], None]) -> Local:
    """guestctl in this process; connect: a URI, instead of the configured ones."""
    return Local(config, uris_of(config, connect), complain)


def refuse_unreachable(inventory: Inventory, uris: Collection[str]) -> None:
    """RequestError when not one connection could be read."""
    if len(inventory.lost) == len(uris):
        kinds = {error.kind for error in inventory.lost.values()}
        failure = unreachable(refused=kinds == {ErrorKind.NOT_PERMITTED})
        raise RequestError(failure, "\n".join(inventory.lost_reasons.values()))
