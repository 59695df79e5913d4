"""In which ways the host of a story stops, who tells that when, and by what each run must go.

logind tells the way as it announces a shutdown, or another one, whose shutdown was cancelled since;
or it does not tell (systemd 252), and systemd does once it stops units; or nobody does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from guestctl.config.config import Config
from guestctl.model.options import Method, Scope
from guestctl.model.plan import GuestPlan, RunKind
from guestctl.model.report import GuestAdded, RunBegan
from guestctl.model.result import Trigger
from tests.sim.behaviour import GuestSpec, Save
from tests.sim.life import Life
from tests.sim.service import ServedHost

from .in_force import WAYS, names_in, of_host
from .profile_promises import misjudged
from .profiles import Choices, ProfileDice

#: Of so many stories one has profiles, and all that is told of the way.
ONE_IN = 3
#: So much of a profile's deadline may be gone where guests begin anew by it.
SOON_ENOUGH = 0.2
UNKNOWN = "it is not known in which way"
#: The plug is pulled in the end, whatever the profile: nobody is up once units are stopped.
_OF_GUEST: Choices = {
    "save": (Scope.PERSISTENT, Scope.NONE),
    "shutdown": (Scope.ALL, Scope.NONE),
    "save_timeout": (3.0, 600.0),
    "shutdown_timeout": (5.0, 20.0, inf),
    "methods": ((Method.ACPI,),),
}
_OF_HOST: Choices = {
    **_OF_GUEST,
    "parallel": (1, 16),
    "parallel_shutdowns": (None, 1),
    "deadline": (30.0, 60.0, 1500.0),
}


def has_ways(seed: int) -> bool:
    """Whether the story of this seed has profiles."""
    return seed % ONE_IN == 1


@dataclass
class _Stop:
    """A stop of the host as it is told.

    announced: when; heard: the way that logind tells then, and the process that hears it.
    deaf: whether another came after it.  stopped: when units are; told: systemd's word then;
    is_busy: whether some guest is still up then.
    """

    announced: float
    heard: str = ""
    life: Life | None = None
    deaf: bool = False
    stopped: float = float("inf")
    told: str = ""
    is_busy: bool = False

    @property
    def is_known_to_all(self) -> bool:
        """Whether each process that asked was told."""
        asked_systemd = self.stopped < float("inf")
        return bool(self.heard) and not self.deaf and bool(self.told or not asked_systemd)

    def profiles(self, life: Life, time: float) -> set[str]:
        """Those that may be in force at this time, as far as this process can know."""
        heard = self.heard if life is self.life else ""
        kinds = {heard} if time <= self.stopped else set[str]()
        kinds |= {self.told or heard} if time >= self.stopped else set()
        return {WAYS.get(kind, "") for kind in kinds}


class Ways:
    """Throws for them, and remembers what was told."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ways {seed}")
        self._dice = ProfileDice(self._random, _OF_HOST, _OF_GUEST)
        self._stops: list[_Stop] = []
        self._config = Config()

    def added_to(self, guests: list[GuestSpec], config: Config) -> tuple[list[GuestSpec], Config]:
        """The same with profiles."""
        self._config = self._dice.with_tables(config, [guest.name for guest in guests])
        return [self._slower(self._dice.with_own(guest)) for guest in guests], self._config

    def _slower(self, guest: GuestSpec) -> GuestSpec:
        """So that more of them are still up as units are stopped."""
        if self._random.random() < 0.5:
            return guest
        return replace(guest, behaviour=replace(guest.behaviour, save=Save(60.0)))

    def announced(self, host: ServedHost) -> str:
        """What logind tells; it is about to announce a shutdown."""
        kind = self._random.choice((*WAYS, *("",) * 3))
        life = host.life if host.lives and not host.life.is_over else None
        self._stops.append(_Stop(asyncio.get_running_loop().time(), kind, life))
        return kind

    def another_process(self) -> None:
        """The one that heard of it is gone."""
        self._stops[-1].deaf = True

    def stops(self, host: ServedHost) -> str:
        """What systemd tells; it is about to stop units."""
        if not (self._stops and host.preparing):
            self._stops.append(_Stop(asyncio.get_running_loop().time()))
        stop = self._stops[-1]
        stop.is_busy = bool(host.up)
        stop.stopped = asyncio.get_running_loop().time()
        same = stop.heard and self._random.random() < 0.5
        stop.told = host.kind = stop.heard if same else self._random.choice((*WAYS, "", ""))
        return host.kind

    # -- what must be ----------------------------------------------------------------------------

    def what_is_wrong(self, host: ServedHost) -> list[str]:
        """With the runs of all stops."""
        found = [text for life in host.lives for text in self._misjudged(life)]
        for stop in self._stops:
            found += [*self._unsaid(host, stop), *self._not_begun_anew(host, stop)]
        return found

    def _misjudged(self, life: Life) -> Iterator[str]:
        """What one process planned by other settings than it could know to be in force."""
        profiles: set[str] = set()
        for time, event in life.process.report.events:
            match event:
                case RunBegan(plan, Trigger.HOST_STOP):
                    stop = self._of(time)
                    profiles = stop.profiles(life, time) if stop else {""}
                    yield from self._of_none(profiles, plan.guests)
                case RunBegan():
                    profiles = set()
                case GuestAdded(plan) if profiles:
                    yield from self._of_none(profiles, [plan])

    def _of_none(self, profiles: set[str], plans: Sequence[GuestPlan]) -> Iterator[str]:
        """What is wrong with the plans, where all is well by none of the profiles."""
        by_profile = []
        for profile in profiles:
            wrong = (misjudged(self._config, profile, RunKind.PRESERVE, it) for it in plans)
            by_profile.append([text for texts in wrong for text in texts])
        if all(by_profile):
            yield from by_profile[0]

    def _unsaid(self, host: ServedHost, stop: _Stop) -> Iterator[str]:
        """That the way is not known is said where it matters and is so, and only there."""
        ran = [life for life in host.lives for time in _host_stops(life) if self._of(time) is stop]
        said = any(UNKNOWN in text for time, text in host.log if self._of(time) is stop)
        matters = bool(set(WAYS.values()) & names_in(self._config))
        if matters and ran and not (stop.heard or stop.told or said):
            yield f"it is not said that {UNKNOWN}"
        if said and (not matters or stop.is_known_to_all):
            yield f"it is said that {UNKNOWN}"

    def _not_begun_anew(self, host: ServedHost, stop: _Stop) -> Iterator[str]:
        """That guests still up go by the profile that turns out as units are stopped."""
        before, after = WAYS.get(stop.heard, ""), WAYS.get(stop.told or stop.heard, "")
        deadline = of_host(self._config, after)["deadline"]
        is_soon = stop.stopped - stop.announced <= SOON_ENOUGH * deadline
        others = of_host(self._config, before) != of_host(self._config, after)
        runs = [time for life in host.lives for time in _host_stops(life) if self._of(time) is stop]
        if stop.is_busy and is_soon and others and not any(it >= stop.stopped for it in runs):
            yield f"nothing is begun anew for {after or 'no profile'}, after {before or 'none'}"

    def _of(self, time: float) -> _Stop | None:
        """The stop that goes on at this time, or was the last to."""
        return next((it for it in reversed(self._stops) if it.announced <= time), None)


def _host_stops(life: Life) -> list[float]:
    """When this process began runs for the host's stop."""
    plans = life.process.report.plans
    return [time for time, _, trigger in plans if trigger is Trigger.HOST_STOP]
