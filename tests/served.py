"""Guests of a served host, as tests describe them."""

from __future__ import annotations

from dataclasses import replace

from guestctl.config.config import Config
from guestctl.config.settings import General, UserShutdown
from guestctl.model.guest import State
from guestctl.model.options import UserAction
from guestctl.model.stop import How, StoppedBy

from .sim.behaviour import Behaviour, GuestSpec, Save

SYSTEM, OTHER = "qemu:///system", "lxc:///system"
TWO_URIS = Config(general=General(uris=(SYSTEM, OTHER)))
#: Longer than the service has to listen before it is sure.
LONG = 400.0
SETTLED = 200.0


def guest(
    name: str,
    state: State = State.RUNNING,
    *,
    autostart: bool = False,
    **behaviour: object,
) -> GuestSpec:
    """A guest that behaves as told."""
    told = replace(Behaviour(), **behaviour)  # type: ignore[arg-type]  # by name
    return GuestSpec(name, state=state, autostart=autostart, behaviour=told)


def off(name: str, *, autostart: bool = False) -> GuestSpec:
    """A guest that is off."""
    return guest(name, State.SHUT_OFF, autostart=autostart)


AB = [guest("a"), guest("b", save=Save(8.0))]
A = [guest("a"), guest("b")]
RESTARTED = Config(user_shutdown=UserShutdown(UserAction.RESTART))
IGNORED = Config(user_shutdown=UserShutdown(UserAction.IGNORE))

DEEDS = [
    ("powers itself off", StoppedBy.USER, How.SHUT_DOWN),
    ("is asked to shut down", StoppedBy.ADMINISTRATOR, How.SHUT_DOWN),
    ("is destroyed", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("gets SIGTERM", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("gets SIGKILL", StoppedBy.CRASH, How.CRASHED),
    ("crashes", StoppedBy.CRASH, How.CRASHED),
    ("is saved", StoppedBy.ADMINISTRATOR, How.SAVED),
    ("is reverted", StoppedBy.ADMINISTRATOR, How.POWERED_OFF),
    ("hibernates", StoppedBy.USER, How.HIBERNATED),
    ("migrates away", StoppedBy.MOVED, How.MOVED),
]
