"""Units enabled, disabled, started and stopped, and their drop-ins, by `systemctl`.

Not over the bus: as root systemctl speaks with systemd on a socket of their own, also where
dbus-daemon is gone; it sees to init scripts and `Also=`; it is a process that can be given up; and
it is what whoever reads the messages would type.  Ctrl-C at the terminal does not end it halfway,
whoever waits for it decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from . import own_files, programs

ADMINISTRATORS = Path("/etc/systemd/system")
#: Seconds: to tell of a unit; to read all unit files anew, which enabling and disabling do as well;
#: to stop, and to start what is up soon.  More than systemd's own time limits for guestctl's.
SHOW_LIMIT, RELOAD_LIMIT, STOP_LIMIT, START_LIMIT = 15.0, 90.0, 60.0, 120.0
#: To stop and start libvirt's daemon, by systemd's own limits.
RESTART_LIMIT = 200.0
#: Seconds for a call to end by itself where whoever waits is told to end, and will undo it: what it
#: has started (an init script is switched by programs of its own) must not go on beside that.
GRACE = 10.0
_SYSTEMCTL = ("systemctl", "--no-pager", "--no-ask-password")


class SystemctlFailed(Exception):
    """The text reads "cannot …: cause"."""


def show(unit: str, *properties: str) -> Mapping[str, str]:
    """Properties of a unit, each "" where systemd has none.  SystemctlFailed."""
    names = f"--property={','.join(properties)}"
    text = _run("show", names, "--", unit, limit=SHOW_LIMIT)
    lines = (line.partition("=") for line in text.splitlines())
    return dict.fromkeys(properties, "") | {key: value for key, _, value in lines}


def reload() -> None:
    """Have systemd read all unit files.  SystemctlFailed."""
    _run("daemon-reload", limit=RELOAD_LIMIT)


def enable(*units: str, runtime: bool = False) -> None:
    """For the next boot; runtime: for this one alone.  SystemctlFailed."""
    _run("enable", *_runtime(runtime), "--", *units, limit=RELOAD_LIMIT)


def disable(*units: str, runtime: bool = False) -> None:
    """SystemctlFailed."""
    _run("disable", *_runtime(runtime), "--", *units, limit=RELOAD_LIMIT)


def _runtime(runtime: bool) -> list[str]:
    return ["--runtime"] if runtime else []


def start(*units: str) -> None:
    """SystemctlFailed, also while the host goes down: a start must not cancel that."""
    _run("start", "--job-mode=fail", "--", *units, limit=START_LIMIT)


def stop(*units: str) -> None:
    """SystemctlFailed."""
    _run("stop", "--", *units, limit=STOP_LIMIT)


def try_restart(unit: str) -> None:
    """Restart it where it is active.  SystemctlFailed, also while the host goes down."""
    _run("try-restart", "--job-mode=fail", "--", unit, limit=RESTART_LIMIT)


def forget_starts(unit: str) -> None:
    """Starts and failures of before do not count against a new start (StartLimitBurst=)."""
    with contextlib.suppress(SystemctlFailed):  # systemd has it not loaded: it knows of none
        _run("reset-failed", "--", unit, limit=SHOW_LIMIT)


def drop_in(unit: str, name: str) -> Path:
    """The file of an administrator's drop-in."""
    return ADMINISTRATORS / f"{unit}.d" / f"{name}.conf"


def write_drop_in(file: Path, text: str) -> None:
    """On disk as this returns; systemd has to be told (`reload`).  OSError."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    own_files.replace(file, text, 0o644, synced=True)


def remove_drop_in(file: Path) -> bool:
    """Whether it was there; its folder goes with the last one.  OSError."""
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    try:
        file.parent.rmdir()
    except OSError:
        own_files.sync(file.parent)  # others are in it
    else:
        own_files.sync(file.parent.parent)
    return True


def _run(*arguments: str, limit: float) -> str:
    """What it prints.  SystemctlFailed; where it took too long, what systemd was told goes on."""
    what = f"systemctl {' '.join(argument for argument in arguments if argument != '--')}"
    try:
        ended = asyncio.run(programs.run(*_SYSTEMCTL, *arguments, limit=limit, grace=GRACE))
    except TimeoutError as error:
        raise SystemctlFailed(f"cannot {what}: it took longer than {limit:g} s") from error
    except OSError as error:
        raise SystemctlFailed(f"cannot {what}: {error.strerror}") from error
    if ended.status:
        said = " ".join(ended.errors.split())
        raise SystemctlFailed(f"cannot {what}: {said or f'status {ended.status}'}")
    return ended.output
