"""The doors by which a host goes down in order, and how each of them ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .host import Host
from .host_image import SUITES


class Ending(Enum):
    """What the host is after it went through a door."""

    OFF = auto()
    REBOOT = auto()
    #: A new userspace on the same kernel, which has the same boot id.
    SOFT_REBOOT = auto()


@dataclass(frozen=True)
class Door:
    """The command that opens it; `delays` says whether logind's delay inhibitors count."""

    command: str
    ending: Ending = Ending.OFF
    delays: bool = True
    suites: tuple[str, ...] = SUITES


POWEROFF = Door("systemctl poweroff")
REBOOT = Door("systemctl reboot", Ending.REBOOT)
SHUTDOWN = Door("shutdown now")
TARGET = Door("systemctl start poweroff.target", delays=False)
# What a host's own host sends to a virtual machine or a container: systemd(1), SIGRTMIN+4.
SIGNAL = Door("kill -s RTMIN+4 1", delays=False)
# systemd 262 has no telinit.
INIT = Door("init 0", suites=("bookworm", "trixie"))
# It came with systemd 254.
SOFT_REBOOT = Door("systemctl soft-reboot", Ending.SOFT_REBOOT, suites=("trixie", "forky"))
#: Where a shutdown that logind has announced can be called off: 252 says so, and goes on.
CALLED_OFF = ("trixie", "forky")
DOORS = (POWEROFF, REBOOT, SHUTDOWN, TARGET, SIGNAL, INIT, SOFT_REBOOT)


def leave_by(host: Host, door: Door, timeout: float = 120) -> float:
    """Go down by that door; the seconds it took.  After a soft reboot the host is up."""
    if door.ending is Ending.SOFT_REBOOT:
        return host.soft_reboot(door.command, timeout)
    seconds = host.poweroff(door.command, timeout)
    wanted = door.ending is Ending.REBOOT
    assert host.wants_reboot is wanted, f"{door.command} ended in another way"
    return seconds


def pass_through(host: Host, door: Door, timeout: float = 120) -> float:
    """Go down by that door and come up again; the seconds it took to be down."""
    seconds = leave_by(host, door, timeout)
    if not host.is_on:
        host.boot()
    return seconds


@contextlib.contextmanager
def logind_waits(host: Host, seconds: int) -> Iterator[None]:
    """Meanwhile logind waits so long for those who hold delay inhibitors."""
    file = host.root / "etc/systemd/logind.conf.d/zz-testbed.conf"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"[Login]\nInhibitDelayMaxSec={seconds}\n")
    # systemd 252 knows no reload of it; locks survive a restart.
    host.run(["systemctl", "reload-or-restart", "systemd-logind"])
    try:
        yield
    finally:
        file.unlink()
        if host.is_on:
            host.run(["systemctl", "reload-or-restart", "systemd-logind"])
