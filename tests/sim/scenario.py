"""Runs a scenario: a folder with the facts, the configuration and the events of a story."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guestctl.config import Config, load
from guestctl.ledger import Ledger, transaction
from guestctl.model import Door, GuestFacts, GuestId, Known, RunKind, RunResult, State
from guestctl.preserve import preserve
from guestctl.restore import restore
from guestctl.world import Seen, read_all

from . import loop as virtual
from .events import Line, Turn, happen, parse_events
from .facts import load_facts
from .hypervisor import Call
from .world import Process, RecordingReport, SimHost

_Named = frozenset[GuestId] | None
_Run = Callable[[Process, Seen, _Named], Coroutine[Any, Any, RunResult]]


@dataclass
class Done:
    """One command as it went: result is a run's, or what was said instead of one."""

    command: str
    begun: float
    ended: float
    result: RunResult | str
    report: RecordingReport
    facts: dict[GuestId, GuestFacts]

    @property
    def names(self) -> list[str]:
        """The guests it is for; none: for all."""
        return _split(self.command)[1]


@dataclass
class Story:
    """A scenario that was run, with the state of affairs at its end."""

    commands: list[Done] = field(default_factory=list)
    ended: float = 0.0
    boot: str = ""
    config: Config = field(default_factory=Config)
    facts: list[GuestFacts] = field(default_factory=list)
    known: dict[GuestId, Known] = field(default_factory=dict)
    trails: dict[str, list[tuple[float, str, str]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    most_saves: int = 0

    @property
    def runs(self) -> list[tuple[Done, RunResult]]:
        """The commands that were runs and lived to their end."""
        return [(c, c.result) for c in self.commands if isinstance(c.result, RunResult)]


def run_scenario(folder: Path) -> Story:
    """The story of a folder."""
    config = load(folder / "config.toml")
    turns = parse_events((folder / "events.txt").read_text())
    return virtual.run(_tell(folder, config, turns))


async def _tell(folder: Path, config: Config, turns: list[Turn]) -> Story:
    with SimHost(load_facts(folder / "facts.toml")) as host:
        for uri in config.general.uris:
            host.daemon(uri)
        teller = _Teller(host, config)
        for turn in turns:
            await teller.take(turn)
        return teller.end()


class _Teller:
    def __init__(self, host: SimHost, config: Config) -> None:
        self._host = host
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._story = Story(config=config)
        self._task: asyncio.Task[RunResult] | None = None
        self._process: Process | None = None
        self._begun_in_boot = host.boot
        self._failure: Exception | None = None

    async def take(self, turn: Turn) -> None:
        """One turn: wait for its time, then the command, with everything that happens."""
        if turn.command:
            await self._wait_for(turn.command)
        for line in turn.happenings:
            base = self._loop.time() if line.relative else 0.0
            self._at(base + line.seconds, line.deed)
        if turn.command:
            await self._carry_out(turn.command.deed)
        if self._failure:
            raise self._failure

    async def _wait_for(self, line: Line) -> None:
        now = self._loop.time()
        await asyncio.sleep(line.seconds if line.relative else line.seconds - now)

    def _at(self, when: float, deed: str) -> None:
        if when <= self._loop.time():
            self._happen(deed)
        else:
            self._loop.call_at(when, self._happen, deed)

    def _happen(self, deed: str) -> None:
        ending = {
            "power cut": self._power_cut,
            "guestctl is killed": self._kill,
            "guestctl is interrupted": self._interrupt,
        }.get(deed)
        try:
            ending() if ending else happen(self._host, deed)
        except (ValueError, AssertionError) as error:
            self._failure = error

    def _power_cut(self) -> None:
        self._kill()
        self._host.reboot()

    def _kill(self) -> None:
        if self._process and self._task:
            self._process.kill()
            self._task.cancel()

    def _interrupt(self) -> None:
        if self._task:
            self._task.cancel()

    # -- commands --------------------------------------------------------------------------------

    async def _carry_out(self, deed: str) -> None:
        begun = self._loop.time()
        process = self._process = self._host.process()
        try:
            result = await self._command(process, deed)
        finally:
            self._process = None
            for connection in process.connections.values():
                await connection.close()
        if process.scribe.closed:
            result = "killed"
        facts = {guest.id: guest.facts for guest in self._guests()}
        now = self._loop.time()
        self._story.commands.append(Done(deed, begun, now, result, process.report, facts))

    async def _command(self, process: Process, deed: str) -> RunResult | str:
        verb, names = _split(deed)
        if verb == "reboot":
            self._host.reboot()
            return "the host is up again"
        if verb in ("hold", "release"):
            return self._mark(verb, names)
        if verb == "boot" and self._host.ledger.restored_since_preserve(self._host.boot_id):
            return "the guests of this boot were brought back already"
        return await self._run(process, self._runs(verb), names)

    def _runs(self, verb: str) -> _Run:
        door = {"host stops": Door.HOST_STOP, "boot": Door.BOOT}.get(verb, Door.COMMAND)
        config = self._config
        if verb in ("start", "boot"):
            return lambda process, seen, named: restore(process.world, config, door, seen, named)
        kind = RunKind.SHUTDOWN if verb == "shutdown" else RunKind.PRESERVE
        return lambda process, seen, named: preserve(process.world, config, kind, door, seen, named)

    async def _run(self, process: Process, run: _Run, names: list[str]) -> RunResult | str:
        """As the command line does it: read, find who is meant, run; a task of its own."""
        seen = await read_all(process.world.hypervisors)
        if len(seen.lost) == len(process.connections):
            return "no hypervisor could be reached"
        named = _find(seen, names) if names else None
        self._task = asyncio.create_task(run(process, seen, named), name="run")
        try:
            return await self._task
        except asyncio.CancelledError:
            return "interrupted"
        finally:
            self._task = None

    def _mark(self, verb: str, names: list[str]) -> str:
        reason = "held by the operator" if verb == "hold" else None
        with transaction(self._host.ledger.db):
            for guest in self._guests():
                if guest.name in names:
                    self._host.ledger.hold(guest.facts, reason)
        return f"{verb}: {', '.join(names)}"

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> Story:
        """The story, with everything as it is now."""
        story, ledger = self._story, self._host.ledger
        story.ended, story.boot = self._loop.time(), self._host.boot_id
        story.facts = sorted((guest.facts for guest in self._guests()), key=lambda g: g.name)
        story.known = ledger.guests()
        story.trails = _trails(ledger, self._host)
        for daemon in self._host.daemons.values():
            story.calls += daemon.calls
            story.most_saves = max(story.most_saves, daemon.most_saves)
        return story

    def _guests(self) -> list[Any]:
        daemons = self._host.daemons.values()
        return [guest for daemon in daemons for guest in daemon.guests.values()]


def _split(deed: str) -> tuple[str, list[str]]:
    """The verb and the guests it names."""
    if deed == "host stops":
        return deed, []
    verb, *names = deed.split()
    return verb, [] if names == ["--all"] else names


def _find(seen: Seen, names: list[str]) -> frozenset[GuestId]:
    found = {guest.name: guest.id for guest in seen.guests}
    return frozenset(found[name] for name in names)


def _trails(ledger: Ledger, host: SimHost) -> dict[str, list[tuple[float, str, str]]]:
    """Each guest's reason trail, in virtual time."""
    rows = ledger.db.execute("SELECT DISTINCT uri, uuid FROM trail").fetchall()
    names = _names(ledger, host)
    start = host.wall_clock() - round(asyncio.get_running_loop().time() * 10**9)
    trails = {}
    for guest in (GuestId(*row) for row in rows):
        entries = [((e.at - start) / 10**9, e.source, e.reason) for e in ledger.trail(guest)]
        trails[names.get(guest, guest.uuid)] = entries
    return dict(sorted(trails.items()))


def _names(ledger: Ledger, host: SimHost) -> dict[GuestId, str]:
    """Names of guests, also of those that are gone."""
    rows = ledger.db.execute("SELECT uri, uuid, name FROM outcome").fetchall()
    names = {GuestId(uri, uuid): str(name) for uri, uuid, name in rows}
    for daemon in host.daemons.values():
        names |= {guest.id: guest.name for guest in daemon.guests.values()}
    return names


def is_up(facts: GuestFacts | None) -> bool:
    """Whether the guest runs or is paused; one that is still being started is not."""
    if facts is None:
        return False
    return facts.up and not (facts.state is State.PAUSED and facts.reason == "starting up")
