"""The service, `guestctl daemon`: what it is built from, its signals, what it says of itself."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cli.exits import CommandError, Exit
from ..config import last_good
from ..config.config import Config
from ..config.last_good import Loaded
from ..control import local as common
from ..host import journal, locks, machine, status_file
from ..host.libvirt import autostart
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..host.logind import Logind
from ..host.notify import Notifier
from ..host.storage import HostStorage
from ..host.systemd import is_stopping_retrying
from ..ledger.writer import LedgerWriter
from ..model.report import Several, names
from ..model.uris import canonical, why_remote
from ..runs.context import Context
from .log_fields import URI
from .run_journal import Journal
from .service import Service, Surroundings
from .stop_timeout import StopTimeout
from .triggers import Triggers
from .waiting import first

logger = logging.getLogger(__name__)

WHY = "Guests are taken to safety"
#: How long READY=1 waits for logind: a host without it is served all the same.
LOGIND_LIMIT = 5.0
#: How often it is looked whether the ledger in use is still the file.
LEDGER_LOOK = 60.0
#: How often the service leaves a trace of its life where no watchdog asks for more.
ALIVE = 60.0
#: Until a chore that failed is begun anew.
CHORE_AGAIN = 5.0


def daemon_verb(arguments: Namespace) -> int:
    """`daemon`, and `daemon --claim-autostart`."""
    with journal.started():
        loaded = _load(arguments)
        return _claim(loaded.config) if arguments.claim_autostart else _serve(arguments, loaded)


def _serve(arguments: Namespace, loaded: Loaded) -> int:
    folder = machine.run_folder()
    away = locks.seconds_without_service(folder)
    try:
        locks.take_service_lock(folder)
        machine.state_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    except locks.AnotherService:
        raise CommandError(Exit.LOCKED, "the service runs already") from None
    except OSError as error:
        raise CommandError(Exit.NOT_PERMITTED, f"cannot serve: {error}") from error
    asyncio.run(_Daemon(arguments, loaded, folder, away).run())
    return Exit.OK


def _load(arguments: Namespace) -> Loaded:
    file: Path | None = getattr(arguments, "config", None)
    loaded = last_good.load(file, machine.state_folder())
    for problem in loaded.problems:
        logger.error(f"the configuration has a mistake: {problem}")
    for notice in loaded.notices:
        logger.warning(f"the configuration: {notice}")
    if loaded.source:
        logger.error(f"{loaded.source} is used until the mistakes are mended")
    return replace(loaded, config=_local(loaded.config, arguments))


def _local(config: Config, arguments: Namespace) -> Config:
    """With one spelling for each connection, and without those to other hosts."""
    uris = []
    for uri in common.uris(arguments, config):
        if reason := why_remote(uri):
            text = f"cannot look after {uri}: {reason}; it is left out"
            logger.error(text, extra={URI: uri})
        else:
            uris.append(canonical(uri, root=machine.is_root()))
    return replace(config, general=replace(config.general, uris=tuple(dict.fromkeys(uris))))


def _claim(config: Config) -> int:
    try:
        claimed = autostart.claim(config.general.uris)
    except OSError as error:
        text = f"cannot own autostart, libvirt will do its own: {error}"
        raise CommandError(Exit.NOT_ALL_WELL, text) from error
    logger.info(f"autostart is guestctl's in this boot for: {', '.join(claimed) or 'nobody'}")
    return Exit.OK


class _Daemon:
    """One life of the service."""

    def __init__(self, arguments: Namespace, loaded: Loaded, folder: Path, away: float) -> None:
        self._away = away
        self._arguments = arguments
        self._loaded = loaded
        self._folder = folder
        self._notifier = Notifier()
        self._since = time.time_ns()
        self._delay: float | None = None
        self._changed, self._connected = asyncio.Event(), asyncio.Event()
        self._ledger = LedgerWriter(common.ledger_path(), time.time_ns, logger.warning)
        self._logind = Logind(WHY, lambda kind: self._triggers.announce(kind), self._on_change)
        self._patience = StopTimeout(self._notifier.extend, self._notifier.status)
        self._triggers = Triggers(self._logind, is_stopping_retrying)
        self._service = Service(self._surroundings(), loaded.config)

    def _surroundings(self) -> Surroundings:
        report = Several(Journal(), self._patience)
        clock, boot = time.time_ns, machine.boot_id()
        return Surroundings(
            context=Context({}, HostStorage(), self._ledger, report, clock, boot),
            connect=LibvirtHypervisor,
            login=self._logind,
            triggers=self._triggers,
            patience=self._patience,
            state=machine.state_folder(),
            autostart=frozenset(autostart.claimed()),
            on_change=self._on_change,
            away=self._away,
        )

    def _on_change(self) -> None:
        self._changed.set()
        if self._logind.connected:
            self._connected.set()

    async def run(self) -> None:
        """Serve until there is nothing more to do; systemd hears of it all."""
        self._take_signals()
        self._keep_good()
        works = (self._logind.run, self._say, self._be_watched, self._mend_ledger)
        background = [asyncio.create_task(_keep_at(work)) for work in works]
        serving = asyncio.create_task(self._service.serve())
        ready = asyncio.create_task(self._become_ready())
        try:
            await asyncio.wait([serving])
            serving.result()
        finally:
            locks.touch_service_lock(self._folder)
            for task in (*background, ready, serving):
                task.cancel()
            await asyncio.wait([*background, ready, serving])
            self._ledger.close()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminate)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _terminate(self) -> None:
        self._notifier.stopping()
        self._triggers.terminate()

    async def _become_ready(self) -> None:
        """Once a shutdown would be heard of; libvirt may come later."""
        await first(self._connected.wait(), asyncio.sleep(LOGIND_LIMIT))
        self._notifier.ready()

    # Configuration

    def _keep_good(self) -> None:
        if self._loaded.problems:
            return
        try:
            last_good.keep(getattr(self._arguments, "config", None), machine.state_folder())
        except OSError as error:
            logger.warning(f"cannot keep a copy of the configuration: {error}")

    def _reload(self) -> None:
        """A configuration with mistakes is told, and the one in use goes on."""
        self._notifier.reloading()
        loaded = _load(self._arguments)
        if loaded.problems:
            source = self._loaded.source or "the configuration of before"
            self._loaded = replace(loaded, config=self._loaded.config, source=source)
            logger.error("not reloaded: see the mistakes above")
        else:
            self._loaded = loaded
            self._keep_good()
            self._service.use(loaded.config)
            logger.info("the configuration was reloaded")
        self._notifier.ready()
        self._on_change()

    async def _mend_ledger(self) -> None:
        """A ledger that could not be used, or was set aside by another, is opened again."""
        while True:
            await asyncio.sleep(LEDGER_LOOK)
            if self._service.activity == "watching" and await self._ledger.renew():
                for watch in self._service.watches.values():
                    watch.look_at_all()

    # What it says of itself

    async def _be_watched(self) -> None:
        interval = self._notifier.watchdog_interval
        while True:
            self._notifier.watchdog()
            locks.touch_service_lock(self._folder)
            await asyncio.sleep(interval / 1.5 if interval else ALIVE)

    async def _say(self) -> None:
        while True:
            self._changed.clear()
            if self._delay is None and self._logind.connected:
                self._delay = await self._logind.delay()
            status = self._status()
            status_file.write(self._folder, status)
            if self._service.activity in ("watching", "down"):
                self._notifier.status(self._line())
            await asyncio.sleep(0.1)  # what changes at the same time is said in one go
            await self._changed.wait()

    def _status(self) -> dict[str, Any]:
        watches = self._service.watches
        return {
            "pid": os.getpid(),
            "since": self._since,
            "activity": self._service.activity,
            "configuration": {
                "source": self._loaded.source or "as in its files",
                "problems": [str(problem) for problem in self._loaded.problems],
            },
            "logind": {
                "connected": self._logind.connected,
                "inhibitor": self._logind.held,
                "delay": self._delay,
                "problem": self._logind.problem,
                "announced": self._logind.shutting_down,
            },
            "connections": {uri: watch.trouble or "connected" for uri, watch in watches.items()},
            "up": sorted(name for watch in watches.values() for name in watch.up.values()),
        }

    def _line(self) -> str:
        up = [name for watch in self._service.watches.values() for name in watch.up.values()]
        parts = [f"{len(up)} guests are up: {names(sorted(up))}" if up else "no guest is up"]
        parts += [w.trouble for w in self._service.watches.values() if w.trouble]
        if self._loaded.source:
            parts.insert(0, f"THE CONFIGURATION HAS MISTAKES, {self._loaded.source} is used")
        if self._logind.problem:
            parts.append(f"logind: {self._logind.problem}")
        return "; ".join(parts)


async def _keep_at(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Chores go on after a fault in one of them: it must not end a run that is under way."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - said, and the chore is begun anew
            logger.error(f"internal error: {error!r}")
        await asyncio.sleep(CHORE_AGAIN)
