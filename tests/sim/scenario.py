"""Runs a scenario: a folder with the facts, the configuration and the events of a story."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from guestctl.config.config import Config
from guestctl.config.reading import read
from guestctl.decisions.profiles import of_stop, under
from guestctl.ledger.file import transaction
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.instant import Instant
from guestctl.model.plan import RunKind
from guestctl.model.record import GuestRecord
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import Inventory, read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore
from tests.ledgers import hold

from . import loop as virtual
from .behaviour import GuestSpec, Image
from .chronicle import Entry
from .daemon import Call
from .events import Command, Line, Turn, happen, parse_command, parse_events, reason_of
from .facts import parse_facts
from .guest import SimGuest
from .shed import VERBS, shedding
from .telling import Chronicler, Commanded, CommandEnded, Happened, Moment, Remembered
from .world import Process, Recorder, SimHost


@dataclass
class Done:
    """One command as it went: result is a run's, or what was said instead of one."""

    command: str
    begun: float
    ended: float
    result: RunResult | str
    report: Recorder
    facts: dict[GuestId, GuestFacts]
    points: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The guests it is for; none: for all."""
        return parse_command(self.command).names


@dataclass
class Story:
    """A scenario that was run, with the state of affairs at its end."""

    commands: list[Done] = field(default_factory=list)
    ended: float = 0.0
    boot: str = ""
    config: Config = field(default_factory=Config)
    facts: list[GuestFacts] = field(default_factory=list)
    now: Instant = Instant(0, "", 0)
    records: dict[GuestId, GuestRecord] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    most_saves: int = 0
    chronicle: list[Entry] = field(default_factory=list)
    why: str = ""
    chapters: list[list[Moment]] = field(default_factory=list)

    @property
    def runs(self) -> list[tuple[Done, RunResult]]:
        """The commands that were runs and lived to their end."""
        return [(c, c.result) for c in self.commands if isinstance(c.result, RunResult)]

    def trail(self, name: str) -> list[str]:
        """What the reason trail of the guest of this name says."""
        told = (moment.what for moments in self.chapters for moment in moments)
        return [w.reason for w in told if isinstance(w, Remembered) and w.guest == name]


@dataclass(frozen=True)
class Script:
    """A scenario as its folder has it; why: what it shows and why that matters."""

    guests: list[GuestSpec]
    room: dict[str, int]
    config: Config
    turns: list[Turn]
    why: str = ""


#: Folders of themes, each with its scenarios' folders.
ROOT = Path(__file__).parents[1] / "scenarios"
FOLDERS = sorted(path.parent for path in ROOT.glob("*/*/facts.toml"))


class Watcher(Protocol):
    """Looks at the host before and after each command; raises what is wrong."""

    def before(self, host: SimHost, command: Command) -> None:
        """The command is about to begin."""

    def after(self, host: SimHost, command: Command, done: Done) -> None:
        """The command has ended, or its process has."""


def read_script(folder: Path) -> Script:
    """The scenario of a folder."""
    guests, room = parse_facts((folder / "facts.toml").read_text())
    events = (folder / "events.txt").read_text()
    config = read(folder / "config.toml").sound()
    return Script(guests, room, config, parse_events(events), reason_of(events))


def run_scenario(folder: Path) -> Story:
    """The story of a folder."""
    return run_script(read_script(folder))


def run_script(script: Script, watcher: Watcher | None = None, *, progress: bool = True) -> Story:
    """The story of a scenario; without progress, most of the calls that only read are left out."""
    return virtual.run(_tell(script, watcher, progress))


async def _tell(script: Script, watcher: Watcher | None, progress: bool) -> Story:
    with SimHost(script.guests, room=script.room) as host:
        for uri in script.config.general.uris:
            host.daemon(uri)
        host.shows_progress = progress
        teller = _Teller(host, script, watcher)
        for turn in script.turns:
            await teller.take(turn)
        return teller.end()


#: Can stand after whatever happens: when the process comes to its 7th call or ledger write,
#: counted before and after each.
_AT_POINT = re.compile(r"(.+) at point (\d+)")


class _Teller:
    def __init__(self, host: SimHost, script: Script, watcher: Watcher | None) -> None:
        self._host = host
        self._config = script.config
        self._watcher = watcher
        self._loop = asyncio.get_running_loop()
        self._chronicler = Chronicler(host)
        self._story = Story(config=script.config, why=script.why)
        self._task: asyncio.Task[RunResult | str] | None = None
        self._process: Process | None = None
        self._fuses: dict[int, str] = {}
        self._failure: Exception | None = None

    async def take(self, turn: Turn) -> None:
        """One turn: wait for its time, then the command, with everything that happens."""
        if turn.command:
            await self._wait_for(turn.command)
            self._chronicler.begin_chapter()
        for line in turn.happenings:
            if match := _AT_POINT.fullmatch(line.deed):
                self._fuses[int(match[2])] = match[1]
            else:
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

    def _happen(self, deed: str, when: str = "") -> None:
        """when: for what befalls a process at one of its points."""
        self._chronicler.tell(Happened(f"{deed}{when}"))
        ending = ENDINGS.get(deed)
        try:
            ending(self) if ending else happen(self._host, deed)
        except (ValueError, AssertionError) as error:
            self._failure = error

    def cut_power(self, *, unlinks_lost: bool = False) -> None:
        self.kill()
        self._host.reboot(unlinks_lost=unlinks_lost)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._chronicler.process_is_gone()
        if self._task:
            self._task.cancel()

    def interrupt(self) -> None:
        if self._task:
            self._task.cancel()

    # -- commands --------------------------------------------------------------------------------

    async def _carry_out(self, deed: str) -> None:
        command = parse_command(deed)
        if self._watcher:
            self._watcher.before(self._host, command)
        done = await self._done(command)
        self._story.commands.append(done)
        if self._watcher:
            self._watcher.after(self._host, command, done)

    async def _done(self, command: Command) -> Done:
        begun = self._loop.time()
        self._chronicler.tell(Commanded(command.deed))
        process = self._process = self._new_process()
        try:
            result = await self._command(process, command)
        finally:
            self._process = None
            for connection in process.connections.values():
                await connection.close()
        if process.ledger.closed:
            result = "killed"
        facts = {guest.id: guest.facts for guest in self._host.guests()}
        now = self._loop.time()
        self._chronicler.tell(CommandEnded(result, now - begun))
        return Done(command.deed, begun, now, result, process.report, facts, tuple(process.points))

    def _new_process(self) -> Process:
        process = self._host.process()
        self._chronicler.follow(process.report)
        for point, deed in self._fuses.items():
            process.fuses[point] = partial(self._happen, deed, f" at point {point}")
        self._fuses = {}
        return process

    async def _command(self, process: Process, command: Command) -> RunResult | str:
        verb = command.verb
        if verb == "reboot":
            self._host.reboot()
            return "the host is up again"
        if verb in ("hold", "release"):
            return self._mark(verb, command.names)
        if verb == "boot" and self._was_restored():
            return "the guests of this boot were brought back already"
        return await self._run(process, command)

    def _was_restored(self) -> bool:
        done = self._host.ledger.runs.restored_since_preserve(self._host.boot_id)
        return done >= set(self._config.general.uris)

    async def _run(self, process: Process, command: Command) -> RunResult | str:
        """As the command line does it: read, find who is meant, run; a task of its own."""
        inventory = await read_all(process.context.hypervisors)
        if process.ledger.closed:
            return "killed"
        if len(inventory.lost) == len(process.connections):
            return "no hypervisor could be reached"
        found = {guest.name: guest.id for guest in inventory.guests}
        if missing := [name for name in command.names if name not in found]:
            return f"no guest is named {missing[0]}"
        named = frozenset(found[name] for name in command.names) or None
        self._task = asyncio.create_task(
            self._start(process, command, inventory, named), name="run"
        )
        try:
            return await self._task
        except asyncio.CancelledError:
            return "interrupted"
        finally:
            self._task = None

    def _start(
        self,
        process: Process,
        command: Command,
        inventory: Inventory,
        named: frozenset[GuestId] | None,
    ) -> Coroutine[Any, Any, RunResult | str]:
        trigger = {"host stops": Trigger.HOST_STOP, "boot": Trigger.BOOT}.get(
            command.verb, Trigger.COMMAND
        )
        config = _in_force(self._config, command)
        if command.verb in VERBS:
            return shedding(process.context, config, command, inventory, named)
        if command.verb in ("start", "boot"):
            return restore(process.context, config, trigger, inventory, named, command.decision)
        kind = RunKind.SHUTDOWN if command.verb == "shutdown" else RunKind.PRESERVE
        return preserve(process.context, config, kind, trigger, inventory, named)

    def _mark(self, verb: str, names: tuple[str, ...]) -> str:
        reason = "held by the operator" if verb == "hold" else None
        with transaction(self._host.ledger.db):
            for guest in self._host.guests():
                if guest.name in names:
                    hold(self._host.ledger, guest.facts, reason)
        return f"{verb}: {', '.join(names)}"

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> Story:
        """The story, with everything as it is now."""
        story = self._story
        story.ended, story.boot = self._loop.time(), self._host.boot_id
        story.facts = sorted(map(_with_image, self._host.guests()), key=lambda g: g.name)
        story.records = self._host.ledger.guests(story.boot)
        story.now = self._host.now()
        story.chronicle = self._host.chronicle()
        self._chronicler.listen()
        story.chapters = self._chronicler.chapters
        for daemon in self._host.daemons.values():
            story.calls += daemon.calls
            story.most_saves = max(story.most_saves, daemon.most_saves)
        return story


#: What befalls guestctl's process, or the host with it.
ENDINGS: dict[str, Callable[[_Teller], None]] = {
    "power cut": _Teller.cut_power,
    "power cut that loses unlinks": partial(_Teller.cut_power, unlinks_lost=True),
    "guestctl is killed": _Teller.kill,
    "guestctl is interrupted": _Teller.interrupt,
}


def _with_image(guest: SimGuest) -> GuestFacts:
    """What is truly there, also where libvirt does not know of an image."""
    return replace(guest.facts, saved=guest.image is not Image.NONE)


def _in_force(config: Config, command: Command) -> Config:
    """The settings that a command goes by, or the host's stop."""
    found = under(config, command.profile or of_stop(command.kind))
    if command.within is None:
        return found
    return replace(found, shutdown=replace(found.shutdown, deadline=command.within))


def is_up(facts: GuestFacts | None) -> bool:
    """Whether the guest runs or is paused; one that is still being started is not."""
    return facts is not None and facts.started
