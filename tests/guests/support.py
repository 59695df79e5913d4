"""What the tests on real guests share: groups of guests, and reading what a run said of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.waiting import wait_until

URI = "qemu:///session"


def fresh(daemon: SessionDaemon, config: str = "") -> Guestctl:
    """The command with a ledger of its own, for fixtures that outlive one test."""
    state = daemon.folder / f"state-{os.urandom(4).hex()}"
    daemon.run(["mkdir", str(state)])
    return Guestctl(daemon, state, config)


def running(daemon: SessionDaemon, spec: GuestSpec) -> None:
    """Have the guest run, at the least cost: as it is, resumed, or booted."""
    state = daemon.state(spec.name)
    if state == "undefined":
        daemon.start(spec)
    elif state == "shut off":
        daemon.start_again(spec.name)
    assert daemon.state(spec.name) == "running"


def quoted(text: str) -> str:
    """Any text as a TOML string."""
    return json.dumps(text, ensure_ascii=False)


def override(name: str, *settings: str) -> str:
    """A [[guest]] table for the guest of that name."""
    return "\n".join(["[[guest]]", f"match = {quoted(name)}", *settings, ""])


def by_name(document: Any) -> dict[str, Any]:
    """The guests of what `list`, `plan`, `shutdown` or `start` printed, by their names."""
    guests = document["guests"] if isinstance(document, dict) else document
    return {guest["name"]: guest for guest in guests}


def steps(guest: Any) -> dict[str, str]:
    """How each step that was tried on a guest of a run's result ended, in order."""
    return {step["step"]: step["end"] for step in guest["steps"]}


def trail(guestctl: Guestctl, name: str) -> list[str]:
    """The reasons in a guest's trail."""
    return [reason for _, reason, _ in guestctl.json("why", "--", name)]


def listed(guestctl: Guestctl, name: str) -> Any:
    """The guest's row of `list`."""
    return by_name(guestctl.json("list"))[name]


def ticks(daemon: SessionDaemon, name: str) -> int:
    """How many ticks the guest's console shows, over all its boots."""
    return len(console.read_ticks(daemon.console(name)))


def last_tick(daemon: SessionDaemon, name: str) -> Tick:
    """The guest's newest tick."""
    tick = console.last_tick(daemon.console(name))
    assert tick is not None
    return tick


def next_tick(daemon: SessionDaemon, name: str) -> Tick:
    """Wait until the guest gives a sign of life."""
    return console.wait_for_tick(daemon.console(name), ticks(daemon, name))


def went_on(daemon: SessionDaemon, name: str, before: Tick) -> bool:
    """Wait for the guest's next tick; whether it is the one after `before`, of the same boot."""
    path = daemon.console(name)
    console.wait_for_tick(path, console.read_ticks(path).index(before) + 1)
    return console.was_resumed(path, before)


def said_bye(daemon: SessionDaemon, name: str) -> bool:
    """Whether the guest powered itself off in good order (its last tick may come later)."""
    return "bye" in console.lines(daemon.console(name))


def wait_for_press(daemon: SessionDaemon, name: str, more_than: int = 0) -> None:
    """Wait until the guest has seen its power button pressed."""
    path = daemon.console(name)
    wait_until(lambda: console.presses(path) > more_than, 60, f"press seen by {name!r}")


def all_ids(daemon: SessionDaemon) -> list[str]:
    """The UUIDs of all guests."""
    return daemon.virsh("list", "--all", "--uuid").split()


def begins(child: subprocess.Popen[str], text: str) -> str:
    """Read the command's plain lines until one holds the text; all that was read."""
    assert child.stdout is not None
    said = ""
    for line in child.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"ended with status {child.wait()}, without {text!r}: {said}")


def launch(guestctl: Guestctl, verb: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command, its output in pipes."""
    argv = guestctl.argv(verb, *arguments)
    pipe = subprocess.PIPE
    return guestctl.daemon.popen(argv, stdout=pipe, stderr=pipe, text=True)


def outcome(child: subprocess.Popen[str], status: int = 0, timeout: float = 60) -> str:
    """Wait for the command's end, hold it to its status; the rest of what it said."""
    out, errors = child.communicate(timeout=timeout)
    assert child.returncode == status, f"{out}\n{errors}"
    return out + errors


def wait_for_job(daemon: SessionDaemon, name: str, operation: str) -> None:
    """Wait until libvirt is busy with the guest and has moved some of its memory."""

    def busy() -> bool:
        info = daemon.virsh("domjobinfo", daemon.id_of(name))
        return operation in info and "Data processed" in info

    wait_until(busy, 30, f"{operation} of {name!r}")


@contextlib.contextmanager
def cleared(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """The daemon without a guest, before and after."""
    clear(daemon)
    try:
        yield daemon
    finally:
        clear(daemon)


def clear(daemon: SessionDaemon) -> None:
    """Remove every guest with its save, side by side: the end of a QEMU takes seconds."""
    for command in (["destroy"], ["undefine", "--managed-save"]):
        virsh = ["virsh", "-q", "-c", daemon.uri, *command]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for child in [daemon.popen([*virsh, guest], **quiet) for guest in all_ids(daemon)]:
            # Which of them is refused depends on the guest's state; the check below decides.
            child.wait(60)
    assert not all_ids(daemon)
