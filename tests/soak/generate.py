"""A seed to a story: a host, its guests, a policy, commands, and what goes wrong meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Boot, General, Shutdown
from guestctl.model.event import JobKind
from guestctl.model.guest import DiskKind, State
from guestctl.model.options import Method, Scope, Unverifiable
from tests.sim.behaviour import (
    IGNORED_BUTTON,
    MIB,
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
from tests.sim.scenario import Script

from .graphs import has_graph, with_graph
from .limits import has_limits, with_limits
from .profiles import has_profiles, with_profiles
from .timeline import Timeline

SYSTEM, OTHER = "qemu:///system", "lxc:///system"
_SECONDS = (0.5, 3.0, 8.0, 20.0, 45.0, 100.0)
_XML = (
    "<devices><hostdev mode='subsystem' type='pci'/></devices>",
    "<devices><filesystem type='mount'><driver type='virtiofs'/></filesystem></devices>",
    "<metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>",
)
_SAVE_ERRORS = (
    "operation failed: Input/output error",
    "operation failed: migration is disabled",
)


def story(seed: int) -> Script:
    """The story of a seed: always the same."""
    script = _Generator(random.Random(seed)).script()
    script = with_limits(script, seed) if has_limits(seed) else script
    script = with_graph(script, seed) if has_graph(seed) else script
    return with_profiles(script, seed) if has_profiles(seed) else script


class _Generator:
    def __init__(self, random: random.Random) -> None:
        self._random = random

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _maybe(self, share: float, make: Callable[[], Any], usual: Any) -> Any:
        return make() if self._chance(share) else usual

    def _pick(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def script(self) -> Script:
        uris = self._maybe(0.1, lambda: (SYSTEM, OTHER), (SYSTEM,))
        names = "abcd"[: self._pick(1, 1, 2, 2, 3, 4)]
        guests = [self._guest(name, self._random.choice(uris)) for name in names]
        config = self._config(uris, names)
        room = self._maybe(0.15, self._room, {})
        turns = Timeline(self._random, list(names), uris).turns()
        return Script(guests, room, config, turns)

    def _room(self) -> dict[str, int]:
        return {SYSTEM: self._pick(1, 2, 3, 5) * 1024 * MIB}

    # -- guests ----------------------------------------------------------------------------------

    def _guest(self, name: str, uri: str) -> GuestSpec:
        state = self._pick(*[State.RUNNING] * 8, State.SHUT_OFF, State.SHUT_OFF, *_ODD_STATES)
        off = state is State.SHUT_OFF
        return GuestSpec(
            name=name,
            uri=uri,
            state=state,
            persistent=off or not self._chance(0.06),
            autostart=False,
            image=self._maybe(0.3, lambda: self._pick(*Image), Image.NONE) if off else Image.NONE,
            memory=self._pick(512, 1024, 1024, 2048) * MIB,
            behaviour=self._behaviour(),
            job=None if off else self._maybe(0.08, self._job, None),
            booted=self._maybe(0.1, lambda: 2.0, inf),
            disk=self._maybe(0.1, lambda: self._pick(*DiskKind), DiskKind.FILE),
            xml=self._maybe(0.06, lambda: self._pick(*_XML), ""),
            defined=not self._chance(0.06),
            restarts=self._chance(0.06),
        )

    def _job(self) -> OtherJob:
        whole = (JobKind.BACKUP, JobKind.SNAPSHOT, JobKind.SAVE, JobKind.MIGRATION)
        kind = self._pick(*whole, JobKind.COPY, JobKind.COMMIT, JobKind.PULL)
        return OtherJob(kind, self._seconds(), self._pick(*Abort))

    def _seconds(self) -> float:
        return inf if self._chance(0.1) else self._random.choice(_SECONDS)

    def _behaviour(self) -> Behaviour:
        if self._chance(0.3):
            return Behaviour(save=Save(after=self._random.choice(_SECONDS)))
        return Behaviour(
            button=self._maybe(0.2, lambda: IGNORED_BUTTON, self._button()),
            boots=self._maybe(0.1, lambda: 8.0, 0.0),
            agent=self._pick(Agent.NONE, Agent.NONE, Agent.WORKS, *Agent),
            save=self._save(),
            start=self._start(),
            kill=self._pick(0.5, 0.5, 0.5, 12.0),
            unkillable=self._chance(0.03),
            loses_events=self._chance(0.1),
            frozen=self._chance(0.04),
            writes=not self._chance(0.3),
        )

    def _button(self) -> Button:
        return Button(self._pick(0.5, 2.0, 2.0, 15.0, 70.0), self._pick(1, 1, 1, 2))

    def _save(self) -> Save:
        return Save(
            after=self._seconds(),
            fails=self._maybe(0.12, lambda: self._pick(*_SAVE_ERRORS), ""),
            abort=self._pick(Abort.WORKS, Abort.WORKS, Abort.WORKS, *Abort),
            wreck=self._chance(0.2),
        )

    def _start(self) -> Start:
        return Start(
            after=self._maybe(0.25, lambda: self._pick(0.2, 20.0, 90.0), 1.0),
            fails=self._maybe(0.1, lambda: self._pick(1, 2, 9), 0),
        )

    # -- policy ----------------------------------------------------------------------------------

    def _config(self, uris: tuple[str, ...], names: str) -> Config:
        return Config(
            General(uris=uris),
            self._shutdown(),
            self._boot(),
            tuple(self._override(name) for name in names if self._chance(0.12)),
        )

    def _shutdown(self) -> Shutdown:
        return Shutdown(
            save=self._pick(Scope.PERSISTENT, Scope.PERSISTENT, Scope.PERSISTENT, Scope.NONE),
            save_timeout=self._pick(600.0, 600.0, 30.0),
            shutdown_timeout=self._pick(90.0, 20.0),
            job_timeout=self._pick(60.0, 5.0),
            methods=self._pick((Method.AGENT, Method.ACPI), (Method.ACPI,)),
            parallel=self._pick(16, 16, 1, 2),
            save_reserve=self._pick(1024, 1024, 0) * MIB,
            deadline=self._pick(1500.0, 1500.0, 300.0, 40.0),
        )

    def _boot(self) -> Boot:
        return Boot(
            start_delay=self._maybe(0.1, lambda: 5.0, 0.0),
            parallel=self._pick(4, 4, 1),
            retries=self._pick(3, 3, 0),
            start_timeout=self._pick(300.0, 300.0, 60.0),
            unverifiable=self._pick(*[Unverifiable.RESUME] * 3, Unverifiable.HOLD),
            storage_timeout=self._pick(120.0, 10.0),
        )

    def _override(self, name: str) -> GuestOverride:
        choices = {
            "save": Scope.NONE,
            "poweroff": Scope.NONE,
            "shutdown": Scope.NONE,
            "restore": False,
            "managed_elsewhere": True,
            "unverifiable": Unverifiable.HOLD,
        }
        key = self._pick(*choices)
        return GuestOverride(name, {key: choices[key]})


_ODD_STATES = (State.PAUSED, State.PMSUSPENDED, State.CRASHED)
