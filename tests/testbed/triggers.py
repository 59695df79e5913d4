"""What makes a host go down in order, and how each of these triggers ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .host import Host
from .host_image import SUITES


class Ending(Enum):
    """What becomes of the host in the end."""

    OFF = auto()
    REBOOT = auto()
    #: A new userspace on the same kernel, which has the same boot id.
    SOFT_REBOOT = auto()


@dataclass(frozen=True)
class Trigger:
    """The command that opens it.

    announced: where logind announces it, and its delay inhibitors count.  kind: in which way the
    host goes down, in systemd's words.
    """

    command: str
    ending: Ending = Ending.OFF
    announced: tuple[str, ...] = SUITES
    suites: tuple[str, ...] = SUITES
    kind: str = "poweroff"


POWEROFF = Trigger("systemctl poweroff")
REBOOT = Trigger("systemctl reboot", Ending.REBOOT, kind="reboot")
HALT = Trigger("systemctl halt", kind="halt")
SHUTDOWN = Trigger("shutdown now")
TARGET = Trigger("systemctl start poweroff.target", announced=())
# What a host's own host sends to a virtual machine or a container: systemd(1), SIGRTMIN+4.
SIGNAL = Trigger("kill -s RTMIN+4 1", announced=())
# The kernel sends it for Ctrl-Alt-Del.
KEYS = Trigger("kill -s INT 1", Ending.REBOOT, announced=(), kind="reboot")
# systemd 262 has no telinit.
INIT = Trigger("init 0", suites=("bookworm", "trixie"))
# It came with systemd 254.
SOFT_REBOOT = Trigger(
    "systemctl soft-reboot",
    Ending.SOFT_REBOOT,
    suites=("trixie", "forky"),
    kind="soft-reboot",
)
#: Where a shutdown that logind has announced can be cancelled: 252 says so, and goes on.
CALLED_OFF = ("trixie", "forky")
TRIGGERS = (POWEROFF, REBOOT, HALT, SHUTDOWN, TARGET, SIGNAL, KEYS, INIT, SOFT_REBOOT)


def leave_by(host: Host, trigger: Trigger, timeout: float = 120) -> float:
    """Go down by that trigger; the seconds it took.  After a soft reboot the host is up."""
    if trigger.ending is Ending.SOFT_REBOOT:
        return host.soft_reboot(trigger.command, timeout)
    seconds = host.poweroff(trigger.command, timeout)
    wanted = trigger.ending is Ending.REBOOT
    assert host.wants_reboot is wanted, f"{trigger.command} ended in another way"
    return seconds


def pass_through(host: Host, trigger: Trigger, timeout: float = 120) -> float:
    """Go down by that trigger and come up again; the seconds it took to be down."""
    seconds = leave_by(host, trigger, timeout)
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
