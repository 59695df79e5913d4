"""Disks that changed while their guest was saved, or are not there: held, waited for, failed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.console import Tick, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import outcomes, redefined, save_folder, signal_qemu
from .support import (
    begins,
    by_name,
    cleared,
    fresh,
    last_tick,
    launch,
    listed,
    next_tick,
    outcome,
    override,
    running,
    trail,
    went_on,
)

pytestmark = pytest.mark.guests

UNTOUCHED, LATE, MISSING = "untouched", "late", "missing"
RESIZED, REPLACED, BACKING, NVRAM = "resized", "another file", "backing file written", "NVRAM"
#: What changed, as the reason of the hold says it.
HELD = {
    RESIZED: "another size",
    REPLACED: "another file",
    BACKING: "modified since",
    NVRAM: "modified since",
}
#: Of QEMU's own package; it runs from flash as well, and does without variables.
FIRMWARE = "/usr/share/seabios/bios-256k.bin"
#: Saves that are no more what they were, as after a power cut or on a failing disk.
EMPTY, CUT_SHORT = "empty save", "save cut short"
NAMES = (UNTOUCHED, LATE, MISSING, *HELD, EMPTY, CUT_SHORT)
CONFIG = (
    "[boot]\nsync-time = false\n"
    + override(LATE, 'storage-timeout = "3min"')
    + override(MISSING, 'storage-timeout = "15s"')
)


@dataclass(frozen=True)
class Disks:
    """The guests, saved, their disks changed, and the `start` after that."""

    daemon: SessionDaemon
    guestctl: Guestctl
    ticks: dict[str, Tick]
    said: str


def folder(daemon: SessionDaemon) -> Path:
    """Where the disks are."""
    return daemon.folder / "d"


def disk(daemon: SessionDaemon, name: str) -> Path:
    """A guest's disk: a qcow2 file over a raw one, or the raw file alone."""
    kind = "qcow2" if name in (BACKING, UNTOUCHED) else "raw"
    return folder(daemon) / f"{name}.{kind}"


def base(daemon: SessionDaemon, name: str) -> Path:
    """The backing file of a qcow2 disk."""
    return folder(daemon) / f"{name}.base"


def make_disk(daemon: SessionDaemon, name: str) -> GuestSpec:
    """The guest on its new disk, made by the session's user."""
    path = disk(daemon, name)
    layers = ["-f", "raw", str(path), "4M"]
    if path.suffix == ".qcow2":
        below = str(base(daemon, name))
        daemon.run(["qemu-img", "create", "-q", "-f", "raw", below, "4M"])
        layers = ["-f", "qcow2", "-b", below, "-F", "raw", str(path)]
    daemon.run(["qemu-img", "create", "-q", *layers])
    return GuestSpec(name, disk=path)


@contextlib.contextmanager
def guest_with_nvram(daemon: SessionDaemon) -> Iterator[None]:
    """A guest of which libvirt removes the definition only at a special request."""
    path = changed_file(daemon, NVRAM)
    daemon.run(["truncate", "-s", "64K", str(path)])
    loader = f"<loader readonly='yes' type='pflash'>{FIRMWARE}</loader><nvram>{path}</nvram>"
    redefined(daemon, GuestSpec(NVRAM), "<kernel>", f"{loader}<kernel>")
    daemon.start_again(NVRAM, wait=False)
    try:
        yield
    finally:
        virsh = ["virsh", "-q", "-c", daemon.uri]
        daemon.run([*virsh, "destroy", daemon.id_of(NVRAM)], check=False)
        daemon.virsh("undefine", "--managed-save", "--nvram", daemon.id_of(NVRAM))


def changed_file(daemon: SessionDaemon, name: str) -> Path:
    """The file behind a guest that somebody changes."""
    below = {BACKING: base(daemon, BACKING), NVRAM: folder(daemon) / f"{NVRAM}.fd"}
    return below.get(name) or disk(daemon, name)


def write_nvram(daemon: SessionDaemon) -> None:
    with changed_file(daemon, NVRAM).open("r+b") as file:
        file.write(b"changed")


def write_base(daemon: SessionDaemon) -> None:
    """As `qemu-img commit` of another overlay does."""
    with base(daemon, BACKING).open("r+b") as file:
        file.write(b"changed")


def resize(daemon: SessionDaemon) -> None:
    daemon.run(["qemu-img", "resize", "-q", "-f", "raw", str(disk(daemon, RESIZED)), "8M"])


def replace(daemon: SessionDaemon) -> None:
    """As a restore from a backup does, which keeps size and time."""
    path = disk(daemon, REPLACED)
    daemon.run(["cp", "-p", str(path), f"{path}.copy"])
    os.rename(f"{path}.copy", path)


def damage_saves(daemon: SessionDaemon) -> None:
    for name, size in ((EMPTY, 0), (CUT_SHORT, 2**20)):
        path = save_folder(daemon) / f"{name}.save"
        seen = path.stat()
        os.truncate(path, size)
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


CHANGES: tuple[Callable[[SessionDaemon], None], ...] = (
    write_base,
    write_nvram,
    resize,
    replace,
    damage_saves,
)


def aside(daemon: SessionDaemon, name: str) -> Path:
    """Where a disk is that is not there."""
    path = disk(daemon, name)
    return path.with_name(f"{path.name}.aside")


@pytest.fixture(scope="module")
def disks(daemon: SessionDaemon) -> Iterator[Disks]:
    """All of them saved, changed and started again; one disk comes while the start waits."""
    with cleared(daemon), guest_with_nvram(daemon):
        guestctl = fresh(daemon, CONFIG)
        daemon.start_all([make_disk(daemon, name) for name in NAMES if name != NVRAM])
        wait_for_tick(daemon.console(NVRAM))
        guestctl.run("shutdown", "--preserve")
        ticks = {name: last_tick(daemon, name) for name in NAMES}
        for change in CHANGES:
            change(daemon)
        for name in (LATE, MISSING):
            disk(daemon, name).rename(aside(daemon, name))
        yield Disks(daemon, guestctl, ticks, start(daemon, guestctl))


def start(daemon: SessionDaemon, guestctl: Guestctl) -> str:
    """Start them all; the late disk comes when the missing one was waited for in vain."""
    child = launch(guestctl, "start")
    said = begins(child, f"{MISSING}: failed")
    aside(daemon, LATE).rename(disk(daemon, LATE))
    return said + outcome(child, status=1)


def that_start(disks: Disks) -> Any:
    """That start, from the ledger."""
    runs = disks.guestctl.json("history")
    return next(run for run in reversed(runs) if run["kind"] == "restore")


def test_each_guest_ends_as_its_disk_says(disks: Disks) -> None:
    ends = {name: guest["outcome"] for name, guest in by_name(that_start(disks)).items()}
    assert ends == {
        UNTOUCHED: "resumed",
        LATE: "resumed",
        MISSING: "failed",
        **dict.fromkeys([*HELD, CUT_SHORT], "held"),
        EMPTY: "started",
    }


@pytest.mark.parametrize("name", [UNTOUCHED, LATE])
def test_same_disk_is_resumed(disks: Disks, name: str) -> None:
    assert went_on(disks.daemon, name, disks.ticks[name])


def test_late_disk_keeps_nobody_from_their_turn(disks: Disks) -> None:
    said = disks.said
    assert said.index(f"{UNTOUCHED}: resumed") < said.index(f"{MISSING}: failed")
    assert said.index(f"{MISSING}: failed") < said.index(f"{LATE}: resumed")


@pytest.mark.parametrize("name", sorted(HELD))
def test_changed_disk_holds_the_guest(disks: Disks, name: str) -> None:
    """Nothing is done to its save, and everything says why."""
    row = listed(disks.guestctl, name)
    assert (row["state"], row["saved"], row["wanted"]) == ("shut off", True, "on")
    assert row["next_boot"] == "held"
    assert f"{changed_file(disks.daemon, name)} has changed ({HELD[name]}" in row["held"]
    assert "--discard-save" in row["held"]
    assert any(HELD[name] in reason for reason in trail(disks.guestctl, name))
    assert f"{name}: held after" in disks.said


def test_save_that_libvirt_refuses_holds_the_guest(disks: Disks) -> None:
    """It is not tried again and again, nor thrown away."""
    row = listed(disks.guestctl, CUT_SHORT)
    assert (row["state"], row["saved"], row["wanted"]) == ("shut off", True, "on")
    assert row["next_boot"] == "held"
    assert "libvirt cannot resume it from its save" in row["held"]
    tried = [step for step in that_start(disks)["steps"] if step["name"] == CUT_SHORT]
    assert [(step["step"], step["end"]) for step in tried] == [("resume", "failed")]


def test_save_that_libvirt_ignores_is_not_resumed(disks: Disks) -> None:
    """The guest boots, and everything says so."""
    assert next_tick(disks.daemon, EMPTY).boot_id != disks.ticks[EMPTY].boot_id
    reason = by_name(that_start(disks))[EMPTY]["reason"]
    assert "its save was incomplete and libvirt ignored it" in reason


def test_missing_disk_is_no_changed_disk(disks: Disks) -> None:
    """It stays wanted, and the next start resumes it once its disk is there."""
    row = listed(disks.guestctl, MISSING)
    assert (row["saved"], row["wanted"], row["held"]) == (True, "on", None)
    assert row["next_boot"] == "resume"
    assert "is not there" in by_name(that_start(disks))[MISSING]["reason"]
    aside(disks.daemon, MISSING).rename(disk(disks.daemon, MISSING))
    up = disks.guestctl.json("start", MISSING)
    assert outcomes(up) == {MISSING: "resumed"}
    assert went_on(disks.daemon, MISSING, disks.ticks[MISSING])


def test_held_guests_are_not_started_again(disks: Disks) -> None:
    """Not without names, and not by name without a decision."""
    held = [*HELD, CUT_SHORT]
    for arguments in ((), held):
        again = outcomes(disks.guestctl.json("start", *arguments, status=1))
        assert again == dict.fromkeys(held, "held")


# The guests below are decided about, one by one: these come after the tests that see them held.


def test_decided_to_resume_anyway(disks: Disks) -> None:
    names = [BACKING, NVRAM]
    up = disks.guestctl.json("start", "--resume-anyway", *names)
    assert outcomes(up) == dict.fromkeys(names, "resumed")
    for name in names:
        assert went_on(disks.daemon, name, disks.ticks[name])
        assert listed(disks.guestctl, name)["held"] is None


def test_decided_to_discard_the_save(disks: Disks) -> None:
    names = [REPLACED, CUT_SHORT]
    up = disks.guestctl.json("start", "--discard-save", *names)
    assert outcomes(up) == dict.fromkeys(names, "started")
    for name in names:
        assert next_tick(disks.daemon, name).boot_id != disks.ticks[name].boot_id
        row = listed(disks.guestctl, name)
        assert (row["state"], row["saved"], row["held"]) == ("running", False, None)


def test_started_by_hand(disks: Disks) -> None:
    """Who starts it with virsh has decided: the hold, guestctl's own, was about that save."""
    disks.daemon.virsh("start", disks.daemon.id_of(RESIZED))
    row = listed(disks.guestctl, RESIZED)
    assert (row["held"], row["next_boot"]) == (None, "resume")
    before = next_tick(disks.daemon, RESIZED)
    down = disks.guestctl.json("shutdown", "--preserve", RESIZED)
    assert outcomes(down) == {RESIZED: "saved"}
    assert outcomes(disks.guestctl.json("start", RESIZED)) == {RESIZED: "resumed"}
    assert went_on(disks.daemon, RESIZED, before)


def test_what_was_decided_about_holds_no_more(disks: Disks) -> None:
    """The next time round nothing of it is left: they are all saved and resumed."""
    assert set(outcomes(disks.guestctl.json("shutdown", "--preserve")).values()) == {"saved"}
    assert outcomes(disks.guestctl.json("start")) == dict.fromkeys(NAMES, "resumed")


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "running"])
def test_used_up_save_that_is_put_back(disks: Disks, restarted: bool) -> None:
    """Its disks are those of the save, but for all that the guest wrote since.

    libvirtd looks for saves when it starts, and for this one once more when it starts the guest.
    """
    daemon, guestctl = disks.daemon, disks.guestctl
    use_up_and_put_back(disks)
    if restarted:
        daemon.restart_daemon()
    daemon.run(guestctl.argv("start", UNTOUCHED), check=False)
    assert daemon.state(UNTOUCHED) == "shut off", "resumed a second time from the same save"
    assert "resumed from this save" in listed(guestctl, UNTOUCHED)["held"]
    up = guestctl.json("start", "--discard-save", UNTOUCHED)
    assert outcomes(up) == {UNTOUCHED: "started"}


def use_up_and_put_back(disks: Disks) -> None:
    """A guest is saved, resumed and killed; its image is the same file as before."""
    daemon, guestctl = disks.daemon, disks.guestctl
    running(daemon, GuestSpec(UNTOUCHED))
    guestctl.run("shutdown", "--preserve", UNTOUCHED)
    image = save_folder(daemon) / f"{UNTOUCHED}.save"
    os.link(image, image.with_suffix(".kept"))
    guestctl.run("start", UNTOUCHED)
    signal_qemu(daemon, UNTOUCHED, signal.SIGKILL)
    daemon.wait_for_state(UNTOUCHED, "shut off")
    image.with_suffix(".kept").rename(image)
