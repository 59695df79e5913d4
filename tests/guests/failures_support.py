"""What the tests of failures share: runs that are killed, restores that wait, changed guests."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import Guestctl
from tests.testbed.commands import CommandError
from tests.testbed.guests import GuestSpec, file_name
from tests.testbed.processes import belongs_to, send
from tests.testbed.session import SessionDaemon
from tests.testbed.waiting import wait_until

from .support import begins, by_name, launch, running, wait_for_job

#: Bytes a second: at the first a save takes some 40 s, at the second some 2 s.
NEVER_DONE, SOME_SECONDS = 2_000_000, 40_000_000
#: lzop; a restore (-dc) waits as long as there is the file `closed`.
GATE = """#!/bin/sh
here=$(dirname "$0")
case $1 in -d*) while [ -e "$here/closed" ]; do sleep 0.1; done ;; esac
exec "$here/real/lzop" "$@"
"""


def kill(child: subprocess.Popen[str]) -> None:
    """SIGKILL to a command, and nothing is left of it."""
    child.kill()
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL, "it had ended before"


def killed_in_save(guestctl: Guestctl, name: str) -> None:
    """A preserve is killed in the middle of the guest's save, which goes on in libvirtd."""
    guestctl.daemon.set_save_rate(NEVER_DONE)
    child = launch(guestctl, "shutdown", "--preserve", name)
    wait_for_job(guestctl.daemon, name, "Save")
    kill(child)


def killed_at(guestctl: Guestctl, line: str, verb: str, *arguments: str) -> None:
    """A command is killed as soon as it prints a line with this text."""
    child = launch(guestctl, verb, *arguments)
    begins(child, line)
    kill(child)


def outcomes(document: object) -> dict[str, str]:
    """How a run ended for each of its guests."""
    return {name: guest["outcome"] for name, guest in by_name(document).items()}


def cut_off(guestctl: Guestctl) -> list[bool]:
    """Of each recorded run, the oldest first, whether it was cut off."""
    return [run["ended"] is None for run in reversed(guestctl.json("history"))]


def up(daemon: SessionDaemon, *specs: GuestSpec) -> None:
    """Have these guests run, with saves as fast as can be."""
    daemon.set_save_rate(0)
    for spec in specs:
        running(daemon, spec)


def signal_qemu(daemon: SessionDaemon, name: str, number: signal.Signals) -> None:
    """Send a signal to the guest's QEMU."""
    pid = daemon.qemu_pid(name)
    assert send(pid, number, lambda number: belongs_to(number, daemon.folder))


def save_folder(daemon: SessionDaemon) -> Path:
    """Where the daemon's managed saves are."""
    return daemon.folder / "c/libvirt/qemu/save"


def redefined(daemon: SessionDaemon, spec: GuestSpec, old: str, new: str) -> None:
    """Define the guest with a change in its XML."""
    daemon.define(spec)
    xml = daemon.virsh("dumpxml", "--inactive", daemon.id_of(spec.name))
    assert old in xml
    path = daemon.folder / "log" / file_name(spec.name, ".changed.xml")
    path.write_text(xml.replace(old, new, 1))
    path.chmod(0o644)
    daemon.virsh("define", str(path))


def wait_for_no_job(daemon: SessionDaemon, name: str) -> None:
    """Wait until libvirt has nothing to do with the guest any more, which is up or down then."""

    def idle() -> bool:
        try:
            return "None" in daemon.virsh("domjobinfo", daemon.id_of(name))
        except CommandError:
            return daemon.state(name) == "shut off"

    wait_until(idle, 60, f"end of what goes on with {name!r}")


@contextlib.contextmanager
def restore_gate(daemon: SessionDaemon) -> Iterator[Callable[[], None]]:
    """Restores wait, as from a disk that hangs, until the function given is called."""
    programs = daemon.folder / "bin"
    lzop, real, closed = programs / "lzop", programs / "real", programs / "closed"
    real.mkdir()
    lzop.rename(real / "lzop")
    (real / "save-rate").symlink_to("../save-rate")
    lzop.write_text(GATE)
    lzop.chmod(0o755)
    closed.touch()
    try:
        yield closed.unlink
    finally:
        closed.unlink(missing_ok=True)
        (real / "lzop").rename(lzop)
        shutil.rmtree(real)
