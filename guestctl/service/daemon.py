"""The daemon, `guestctl daemon`: what the service is built from, its signals, its chores.

Where guestctl's parts come together for the service; control/local.py is the other place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..config.config import Config
from ..control.answers import Answers
from ..control.configured import say_of_libvirt
from ..control.local import LEDGER_NAME
from ..control.requests import Failure, RequestError
from ..control.run_journal import RunJournal
from ..control.served import Opening
from ..control.shown_held import shows_held
from ..host import (
    journal,
    locks,
    machine,
    since_boot,
    status_file,
    stop_deadline,
    tasks,
    who_ran,
)
from ..host.daemons import SystemdDaemons
from ..host.libvirt import auto_shutdown, autostart
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..host.libvirt_guests import LibvirtGuests
from ..host.locks import HostRunLock
from ..host.logind import Logind
from ..host.mounts import SystemdMounts
from ..host.notify import Notifier
from ..host.probe import HostProbe
from ..host.stop_limit import limit_of_stop
from ..host.storage import HostStorage
from ..host.systemd import is_booting_now, is_stopping_retrying, kind_of_stop
from ..host.units_stopped import UnitsStopped
from ..ledger.file import TROUBLE
from ..ledger.ledger import Ledger
from ..ledger.second_copy import SecondCopy
from ..ledger.writer import LedgerWriter
from ..model.event import GuestEvent
from ..model.guest import GuestId
from ..model.report import tell_all
from ..runs.context import Context
from .bus_export import BusExport
from .bus_parts import Parts
from .configuration import Configuration
from .daily_doctor import DailyDoctor, child
from .followed_files import FollowedFiles
from .run_log import RunLog
from .service import Service, Surroundings
from .state import Activity
from .status import interface_said, line, status
from .stop_timeout import StopTimeout
from .triggers import Triggers
from .waiting import first, keep_at

logger = logging.getLogger(__name__)

#: Why others' services are not there for programs to call.
NOT_ROOTS = "it is not root's service"
WHY = "Guests are taken to safety"
#: How long READY=1 waits for logind: a host without it is served all the same.
LOGIND_LIMIT = 5.0
#: How often it is looked whether the ledger in use is still the file.
LEDGER_LOOK = 60.0
#: How often the service leaves a trace of its life where no watchdog asks for more.
ALIVE = 60.0
#: Changes within so many seconds are said in one go.
AT_ONCE = 0.1


def serve(file: Path | None, connect: str | None) -> None:
    """Serve until there is nothing more to do.

    file, connect: see Configuration.  RequestError where there is a service already, or where
    this user must not be one.
    """
    with journal.started():
        configuration = Configuration(file, connect)
        folder = machine.run_folder()
        away = locks.seconds_without_service(folder, machine.now())
        try:
            locks.take_service_lock(folder)
        except locks.AnotherService:
            raise RequestError(Failure.LOCKED, "the service runs already") from None
        except OSError as error:
            raise RequestError(Failure.NOT_PERMITTED, f"cannot serve: {error}") from error
        ours = _ours(folder, configuration.config.general.uris)
        asyncio.run(_Daemon(configuration, folder, away, ours).run())


def _ours(folder: Path, uris: Iterable[str]) -> frozenset[str] | None:
    """See Surroundings.  A user's service comes with the user, not with the boot.

    Where systemd does not answer the host counts as booting: what it took down is owed a start.
    """
    if not machine.is_root():
        return None
    return since_boot.of_this_boot(folder, uris, booting=is_booting_now() is not False)


class _Daemon:
    """One life of the service."""

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        away: float,
        ours: frozenset[str] | None,
    ) -> None:
        """folder: where what belongs to this boot is.  away, ours: see Surroundings."""
        self._configuration = configuration
        self._folder, self._stopped = folder, UnitsStopped(folder)
        self._since = time.time_ns()
        self._delay: float | None = None
        self._ran: frozenset[GuestId] | None = None
        self._changed, self._connected = asyncio.Event(), asyncio.Event()
        self._files = FollowedFiles(configuration, self._use, self._on_change)
        self._reloads: set[asyncio.Task[None]] = set()
        self._notifier = Notifier()
        ledger = machine.state_folder() / LEDGER_NAME
        self._shows = shows_held(lambda: self._configuration.config.boot.refuse_starts)
        copy = SecondCopy(machine.copy_folder())
        self._ledger = LedgerWriter(ledger, machine.now, logger.warning, self._written, copy)
        self._log = RunLog()
        self._export: BusExport | None = None
        self._logind = Logind(WHY, lambda kind: self._triggers.announce(kind), self._on_change)
        self._triggers = Triggers(self._logind, is_stopping_retrying, kind_of_stop)
        self._service = Service(self._surroundings(away, ours), configuration.config)
        if machine.is_root():
            self._export = BusExport(self._service.state, self._parts(), self._on_change)
        kept, argv = machine.state_folder(), child(configuration)
        self._doctor = DailyDoctor(self._service.state, argv, folder, kept, self._on_change)

    def _parts(self) -> Parts:
        configuration, triggers = self._configuration, self._triggers
        opening = Opening(configuration.file, lambda: configuration.config.general.uris)
        state = self._service.state

        def host_stays() -> bool:
            ends = state.goes_down or triggers.is_terminated
            return not (ends or self._logind.shutting_down)

        reload = self._files.reload_and_tell
        answers, asked = Answers(opening, host_stays), self._service.asked
        return Parts(answers, asked, self._log, self._status, reload, host_stays)

    def _surroundings(self, away: float, ours: frozenset[str] | None) -> Surroundings:
        stop_timeout = StopTimeout(self._notifier.extend, self._notifier.status)
        listener = tell_all(RunJournal(), stop_timeout, self._log)
        clock, boot = machine.now, machine.boot_id()
        return Surroundings(
            context=Context(
                {},
                HostStorage(),
                self._ledger,
                listener,
                clock,
                boot,
                stop_by=lambda: stop_deadline.kept(self._folder),
                probe=HostProbe(),
            ),
            connect=LibvirtHypervisor,
            login=self._logind,
            triggers=self._triggers,
            stop_timeout=stop_timeout,
            lock=HostRunLock(machine.run_folder(), logger.warning),
            daemons=SystemdDaemons(),
            mounts=SystemdMounts(self._folder),
            paths=(str(machine.state_folder()),),
            autostart=frozenset(autostart.claimed()),
            on_change=self._on_change,
            away=away,
            refresh=self._files.refresh,
            ours=ours,
            rival=LibvirtGuests(),
            stop_limit=limit_of_stop,
            pauses_guests=auto_shutdown.may_be_on,
            log=self._log,
            problems=lambda: [str(it) for it in self._configuration.loaded.problems],
            keep_stop_deadline=self._keep_stop_deadline,
            on_heard=self._heard,
            ran_before=who_ran.kept(self._folder, clock()),
            stop_begins=self._stopped.forget,
            units_were_stopped=lambda: not machine.is_root() or self._stopped.said(),
        )

    def _keep_stop_deadline(self, ends: float | None) -> None:
        """Not worth failing for."""
        try:
            stop_deadline.say(self._folder, ends)
        except OSError as error:
            logger.warning(f"the host's stop will not know of this deadline: {error}")

    def _heard(self, event: GuestEvent) -> None:
        if self._export is not None:
            self._export.news.heard(event)

    def _written(self, ledger: Ledger) -> None:
        """At the end of each transaction, in the ledger's thread."""
        self._shows(ledger)
        if self._export is not None:
            with contextlib.suppress(*TROUBLE):  # whoever reads the same next will say so
                self._export.news.written(ledger)

    def _on_change(self) -> None:
        self._changed.set()
        if self._logind.connected:
            self._connected.set()

    async def run(self) -> None:
        """Serve until there is nothing more to do; systemd hears of it all."""
        self._take_signals()
        self._keep_files()
        say_of_libvirt(logger.warning)
        if not self._service.state.boot:
            logger.error("no id of this boot: after a power cut guests do not come back")
        chores = (
            self._logind.run,
            self._say,
            self._be_watched,
            self._mend_ledger,
            self._follow_files,
            self._doctor.work,
            *([self._export.run] if self._export else []),
        )
        background = [asyncio.create_task(keep_at(chore)) for chore in chores]
        serving = asyncio.create_task(self._service.serve())
        ready = asyncio.create_task(self._become_ready())
        try:
            await asyncio.wait([serving])
            serving.result()
        finally:
            locks.service_lives(self._folder, machine.now())
            for task in (*background, ready, serving):
                task.cancel()
            await asyncio.wait([*background, ready, serving])
            self._ledger.close()

    # Signals

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminate)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _terminate(self) -> None:
        self._notifier.stopping()
        self._triggers.terminate()

    def _reload(self) -> None:
        self._notifier.reloading()
        reloading = asyncio.create_task(self._files.reload())
        self._reloads.add(reloading)
        reloading.add_done_callback(self._reloaded)

    def _reloaded(self, reloading: asyncio.Task[None]) -> None:
        self._reloads.discard(reloading)
        self._notifier.ready()
        self._on_change()

    # Chores

    async def _become_ready(self) -> None:
        """Once a shutdown would be heard of; libvirt may come later."""
        await first(self._connected.wait(), asyncio.sleep(LOGIND_LIMIT))
        self._notifier.ready()

    async def _follow_files(self) -> None:
        await self._files.follow(lambda: self._service.state.activity.is_run)

    def _use(self, config: Config) -> None:
        """What was written to the configuration."""
        self._service.use(config)
        self._keep_files()
        self._ledger.look()

    def _keep_files(self) -> None:
        """A copy of good files, whenever the disk has it: nobody waits for that."""
        tasks.start(self._configuration.keep)

    async def _mend_ledger(self) -> None:
        """A ledger that could not be used, or was set aside by another, is opened again."""
        while True:
            await asyncio.sleep(LEDGER_LOOK)
            watching = self._service.state.activity is Activity.WATCHING
            if watching and await self._ledger.renew():
                for watch in self._service.connections.watches.values():
                    watch.read_all_again()

    async def _be_watched(self) -> None:
        interval = self._notifier.watchdog_interval
        while True:
            self._notifier.watchdog()
            locks.service_lives(self._folder, machine.now())
            await asyncio.sleep(interval / 1.5 if interval else ALIVE)

    async def _say(self) -> None:
        """How it goes, each time that something changes."""
        service, logind = self._service, self._logind
        while True:
            self._changed.clear()
            if self._delay is None and logind.connected:
                self._delay = await logind.delay()
            status_file.write(self._folder, self._status())
            self._keep_who_ran()
            if not service.state.activity.is_run:
                loaded = self._configuration.loaded
                self._notifier.status(line(service.state, service.connections, loaded, logind))
            if self._export is not None:
                self._export.say_changes()
            await asyncio.sleep(AT_ONCE)
            await self._changed.wait()

    def _keep_who_ran(self) -> None:
        """For whoever comes after a service that is killed."""
        ran = self._service.ran
        if ran is not None and ran != self._ran:
            who_ran.keep(self._folder, ran)
            self._ran = ran

    def _status(self) -> dict[str, Any]:
        service = self._service
        about = (service.state, service.connections, self._configuration, self._logind)
        interface = (
            self._export.said() if self._export else interface_said(NOT_ROOTS, is_to_be=False)
        )
        return status(*about, self._delay, self._since, interface)
