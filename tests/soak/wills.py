"""Guests that are stopped in every way, one thing after another, and what each is then wanted.

Many guests live through one story side by side, each with deeds of its own, so that all orders
of a few deeds take seconds.  What somebody wants of a guest is kept here, by what truly happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from guestctl.config.config import Config
from guestctl.decisions.attribution import PROMPT
from guestctl.model.guest import State
from tests.sim.behaviour import IGNORED_BUTTON, Agent, Behaviour, Button, GuestSpec
from tests.sim.service import ServedHost, tell

URI = "qemu:///system"
SETTLE = Config().shutdown.settle
#: Longer than anything takes that a guest does, and than a settle time.
QUIET = 2 * SETTLE
#: A guest that was asked to shut down is off after so long, if it listens.
OBEYS = 2.0


class Will(Enum):
    """What whoever did it wants of the guest from then on."""

    ON = auto()
    OFF = auto()
    SAME = auto()
    #: It runs on another host, whatever becomes of this one.
    ELSEWHERE = auto()
    #: It crashed just after somebody asked it to shut down: both can be argued.
    UNCLEAR = auto()


class Deed(NamedTuple):
    """What happens to a guest, and what that means; `needs`: in which state it can happen."""

    what: str
    will: Will
    needs: State = State.RUNNING


DEEDS = (
    Deed("powers itself off", Will.OFF),
    Deed("is asked to shut down", Will.OFF),
    Deed("is asked through its agent", Will.OFF),
    Deed("is destroyed", Will.OFF),
    Deed("gets SIGTERM", Will.OFF),
    Deed("gets SIGKILL", Will.SAME),
    Deed("crashes", Will.SAME),
    Deed("hibernates", Will.OFF),
    Deed("is saved", Will.OFF),
    Deed("is reverted", Will.OFF),
    Deed("migrates away", Will.ELSEWHERE),
    Deed("is reset", Will.SAME),
    Deed("is paused", Will.SAME),
    Deed("is unpaused", Will.SAME, State.PAUSED),
    Deed("is started", Will.ON, State.SHUT_OFF),
)


_CRASHES = ("crashes", "gets SIGKILL")


class Trouble(Enum):
    """What befalls the service, or libvirt, while guests change."""

    NONE = auto()
    SERVICE_RESTARTED = auto()
    SERVICE_KILLED = auto()
    SERVICE_AWAY = auto()
    LIBVIRTD_KILLED = auto()


class Ending(Enum):
    """How the host goes down."""

    ANNOUNCED = auto()
    UNITS_STOPPED = auto()
    POWER_CUT = auto()
    SERVICE_DEAD = auto()


@dataclass(frozen=True)
class Plot:
    """A story: what is done to each guest, turn by turn, and to the host.

    pause: between two turns.  quiet: whether the settle time is over when the host goes down.
    """

    deeds: Sequence[Sequence[Deed]]
    pause: float = 10.0
    troubles: Sequence[Trouble] = ()
    quiet: bool = True
    ending: Ending = Ending.ANNOUNCED


@dataclass
class _Guest:
    name: str
    deeds: Sequence[Deed]
    will: Will = Will.ON
    since: float = 0.0
    asked: float = float("-inf")
    told: list[str] = field(default_factory=list)

    def wants(self, will: Will) -> None:
        if will is not Will.SAME:
            self.will, self.since = will, asyncio.get_running_loop().time()

    def is_asked(self) -> None:
        self.asked = asyncio.get_running_loop().time()

    def crashes(self) -> None:
        if asyncio.get_running_loop().time() - self.asked <= PROMPT and self.will is Will.ON:
            self.will = Will.UNCLEAR


def play(plot: Plot) -> list[str]:
    """The guests that are not as they should be after the next boot, and what they went through."""
    wrong: list[str] = []
    guests = [_Guest(f"g{number}", deeds) for number, deeds in enumerate(plot.deeds)]

    async def story(host: ServedHost) -> None:
        wrong.extend(await _Story(plot, guests, host).happens())

    tell(story, [_spec(number) for number in range(len(guests))])
    return wrong


def _spec(number: int) -> GuestSpec:
    """Every second has the flag, every third ignores its button, every fourth has an agent."""
    button = IGNORED_BUTTON if number % 3 == 2 else Button(OBEYS)
    agent = Agent.WORKS if number % 4 == 3 else Agent.NONE
    behaviour = Behaviour(button=button, agent=agent)
    return GuestSpec(f"g{number}", autostart=number % 2 == 1, behaviour=behaviour)


class _Story:
    def __init__(self, plot: Plot, guests: list[_Guest], host: ServedHost) -> None:
        self._plot = plot
        self._guests = guests
        self._host = host

    async def happens(self) -> list[str]:
        host = self._host
        host.autostart = frozenset({URI})
        host.sim.daemon(URI).autostart_is_done = True
        await host.serve(2 * SETTLE)
        for turn in range(max(map(len, self._plot.deeds), default=0)):
            await self._turn(turn)
        if host.life.is_over:
            await host.serve(5)
        await asyncio.sleep(QUIET if self._plot.quiet else 1.0)
        down = asyncio.get_running_loop().time()
        await self._go_down()
        await host.boot(QUIET)
        return [text for guest in self._guests for text in self._judge(guest, down)]

    async def _turn(self, turn: int) -> None:
        trouble = self._plot.troubles[turn] if turn < len(self._plot.troubles) else Trouble.NONE
        host = self._host
        if trouble is Trouble.SERVICE_AWAY:
            await host.terminate()
        for guest in self._guests:
            if turn < len(guest.deeds):
                self._do(guest, guest.deeds[turn])
        if trouble is Trouble.SERVICE_KILLED:
            host.kill()
        elif trouble is Trouble.SERVICE_RESTARTED:
            await host.restart()
        elif trouble is Trouble.LIBVIRTD_KILLED:
            await asyncio.sleep(6)  # nobody can know of a save or a start that was cut off
            host.happen(f"{URI} is killed for 2s")
        await asyncio.sleep(self._plot.pause)
        if host.life.is_over:
            await host.serve(5)

    def _do(self, guest: _Guest, deed: Deed) -> None:
        sim = self._host.guest(guest.name)
        if sim.state is not deed.needs:
            return
        guest.told.append(deed.what)
        self._host.happen(f"{guest.name} {deed.what}")
        ignored = deed.what == "is asked to shut down" and sim.behaviour.button is IGNORED_BUTTON
        disconnected = (
            deed.what == "is asked through its agent" and sim.behaviour.agent is Agent.NONE
        )
        if not (ignored or disconnected):
            guest.wants(deed.will)
        if ignored:
            guest.is_asked()
        if deed.what in _CRASHES:
            guest.crashes()

    async def _go_down(self) -> None:
        host, ending = self._host, self._plot.ending
        if ending is Ending.ANNOUNCED:
            host.announce()
            await host.until_idle()
        if ending is Ending.SERVICE_DEAD:
            host.kill()
        if ending is not Ending.POWER_CUT:
            await host.stop_units()

    def _judge(self, guest: _Guest, down: float) -> list[str]:
        is_up = self._host.guest(guest.name).up
        told = f"{guest.name} ({', then '.join(guest.told) or 'left alone'})"
        if guest.will is Will.UNCLEAR:
            return []
        if guest.will is Will.ON:
            return [] if is_up else [f"{told} does not come back"]
        if guest.will is Will.ELSEWHERE or down - guest.since > SETTLE + 3 * OBEYS:
            return [f"{told} is started against somebody's will"] if is_up else []
        if any(trouble is not Trouble.NONE for trouble in self._plot.troubles):
            return []  # when it stopped is not known
        return [] if is_up else [f"{told} stays down, though the host went down right after"]
