"""Stories whose last run is cut off at one point after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf

from guestctl.config.config import Config
from guestctl.config.settings import Boot, Shutdown
from guestctl.model.event import JobKind
from guestctl.model.guest import State
from guestctl.model.options import Scope
from tests.sim.behaviour import (
    IGNORED_BUTTON,
    Abort,
    Agent,
    Behaviour,
    Button,
    GuestSpec,
    Image,
    OtherJob,
    Save,
    Start,
)
from tests.sim.events import Line, Turn, parse_events
from tests.sim.scenario import Script, run_script

#: How a run is cut off, and what comes next.
ENDINGS = {
    "killed, then preserve": ("guestctl is killed", "+2s preserve\n+1s reboot\n+5s boot"),
    "killed, then start": ("guestctl is killed", "+2s start"),
    "killed, then resume": ("guestctl is killed", "+2s resume"),
    "killed, and start much later": ("guestctl is killed", "+10min start"),
    "interrupted, then start": ("guestctl is interrupted", "+2s start"),
    "interrupted, then reboot": ("guestctl is interrupted", "+2min reboot\n+5s boot"),
    "power cut": ("power cut", "+5s boot"),
    "power cut that loses unlinks": ("power cut that loses unlinks", "+5s boot"),
}
#: Those to be tried at every point; the others just before each change.
AT_EVERY_POINT = ("killed, then start", "interrupted, then reboot", "power cut")
#: Calls that change nothing: one cut off there is cut off between two that do.
READS = frozenset({"guests", "observe", "domain_info"})


@dataclass(frozen=True)
class Host:
    """A host and its commands, the last of which is cut off; up: who is to be up in the end."""

    guests: tuple[GuestSpec, ...]
    events: str
    up: str
    config: Config = field(default_factory=Config)

    @property
    def script(self) -> Script:
        """The story without anything cut off; a first run makes its guests known."""
        events = f"0s start\n{self.events}"
        return Script(list(self.guests), {}, self.config, parse_events(events))


def cut_off(script: Script, turn: int, point: int, ending: str) -> Script:
    """The story up to a turn, cut off at a point, with what comes next and a good end."""
    deed, sequel = ENDINGS[ending]
    cut = script.turns[turn]
    happenings = [*cut.happenings, Line(0.0, True, f"{deed} at point {point}")]
    turns = [*script.turns[:turn], Turn(cut.command, happenings)]
    last = f"{sequel}\n+10min start\n+10min start\n"
    return replace(script, turns=turns + parse_events(last)[1:])


def every_point(script: Script) -> Iterator[tuple[int, int]]:
    """Each point of each command, as the numbers of its turn and of itself."""
    for turn, command in enumerate(run_script(script, progress=False).commands, 1):
        for point, _ in enumerate(command.points, 1):
            yield turn, point


def every_change(script: Script) -> Iterator[tuple[int, int]]:
    """The points just before something is changed: those after it are before the next."""
    for turn, command in enumerate(run_script(script, progress=False).commands, 1):
        for point, what in enumerate(command.points, 1):
            if what not in READS and not what.endswith(", done"):
                yield turn, point


def _guest(name: str, state: State = State.RUNNING, **behaviour: object) -> GuestSpec:
    return GuestSpec(name, state=state, behaviour=replace(Behaviour(), **behaviour))  # type: ignore[arg-type]


_OFF = State.SHUT_OFF
_NO_SAVES = Config(shutdown=Shutdown(save=Scope.NONE))
_BRISK = Config(shutdown=Shutdown(save_timeout=8.0, shutdown_timeout=8.0, job_timeout=4.0))

HOSTS = {
    "saved": Host((_guest("a"), _guest("b", save=Save(12.0))), "+1s preserve", "ab"),
    "shut down": Host((_guest("a"), _guest("b")), "+1s host stops", "ab", _NO_SAVES),
    "slow to shut down": Host(
        (_guest("a", button=Button(40.0)), _guest("b", agent=Agent.WORKS, agent_after=20.0)),
        "+1s preserve",
        "ab",
        _NO_SAVES,
    ),
    "powered off": Host(
        (_guest("a", save=Save(inf), button=IGNORED_BUTTON), _guest("b", kill=12.0)),
        "+1s preserve",
        "ab",
        _BRISK,
    ),
    "saves that fail": Host(
        (
            _guest("a", save=Save(4.0, fails="operation failed: Input/output error", wreck=True)),
            _guest("b", save=Save(30.0, abort=Abort.IGNORED)),
            _guest("c", save=Save(30.0, wreck=True)),
        ),
        "+1s host stops",
        "abc",
        _BRISK,
    ),
    "asleep and paused": Host(
        (_guest("a", State.PMSUSPENDED), _guest("b", State.PAUSED), _guest("c", State.CRASHED)),
        "+1s preserve",
        "abc",
    ),
    "busy": Host(
        (
            replace(_guest("a"), job=OtherJob(JobKind.BACKUP, 3.0)),
            replace(_guest("b"), job=OtherJob(JobKind.SAVE, 20.0)),
            replace(_guest("c"), job=OtherJob(JobKind.SNAPSHOT)),
        ),
        "+1s preserve",
        "ac",
        _BRISK,
    ),
    "one moves away": Host(
        (
            replace(_guest("a"), job=OtherJob(JobKind.MIGRATION, 6.0, Abort.REFUSED)),
            _guest("b"),
        ),
        "+1s host stops",
        "b",
        _NO_SAVES,
    ),
    "resumed": Host(
        (_guest("a"), _guest("b", start=Start(20.0)), _guest("c", agent=Agent.WORKS)),
        "+1s host stops\n+1s reboot\n+1s boot",
        "abc",
    ),
    "started": Host(
        (_guest("a"), _guest("b", start=Start(20.0)), _guest("c", start=Start(1.0, fails=2))),
        "+1s host stops\n+1s reboot\n+1s boot",
        "abc",
        replace(_NO_SAVES, boot=Boot(parallel=1)),
    ),
    "resumed at the second try": Host(
        (_guest("a", start=Start(2.0, fails=1)), _guest("b", writes=False)),
        "+1s preserve\n+1s start",
        "ab",
    ),
    "shed": Host(
        (_guest("a", save=Save(4.0)), _guest("b", save=Save(inf)), _guest("c")),
        "+1s shed a b",
        "abc",
        _BRISK,
    ),
    "resumed after it": Host(
        (_guest("a", start=Start(20.0)), _guest("b"), _guest("c")),
        "+1s shed a b\n+5s resume",
        "abc",
    ),
    "one is shut down": Host((_guest("a"), _guest("b")), "+1s shutdown a", "b"),
    "one was shut down": Host((_guest("a"), _guest("b")), "+1s shutdown a\n+5s host stops", "b"),
    "one turned itself off": Host(
        (_guest("a"), _guest("b")),
        "+1s preserve b\n+2s a powers itself off\n+5s start b\n+1s host stops",
        "b",
    ),
    "one is started": Host((_guest("a", _OFF), _guest("b", _OFF), _guest("c")), "+1s start a", "c"),
    "one is stale": Host(
        (_guest("a"), _guest("b")),
        "+1s host stops\n+1s reboot\n+0s a has its disk changed\n+1s boot",
        "ab",
    ),
    "one save is discarded": Host(
        (_guest("a"), replace(_guest("b", _OFF), image=Image.COMPLETE)),
        "+1s preserve\n+1s start a --discard-save",
        "a",
    ),
}
