"""Whether libvirt's daemon knows of our hook: it does if it began after one was there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from guestctl.host.hooks import daemons_without_hook

PROCESS = 4711
TICKS = os.sysconf("SC_CLK_TCK")


def hook(root: Path, name: str = "qemu.d/guestctl", mode: int = 0o755) -> None:
    path = root / "etc/libvirt/hooks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)


def daemon(root: Path, began: float, name: str = "libvirtd") -> None:
    """It began so many seconds from now, on a host that is up for 1000 s."""
    for folder in ("run", f"proc/{PROCESS}"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / f"run/{name}.pid").write_text(f"{PROCESS}\n")
    booted = int(time.time()) - 1000
    (root / "proc/stat").write_text(f"cpu 1 2\nbtime {booted}\nprocesses 3\n")
    ticks = int((1000 + began) * TICKS)
    fields = " ".join(["S", *["1"] * 18, str(ticks), "0"])
    (root / f"proc/{PROCESS}/stat").write_text(f"{PROCESS} (libvirt) d) {fields}\n")


@pytest.mark.parametrize(
    ("began", "found"), [(-100, ["libvirtd.service"]), (100, [])], ids=["before", "after"]
)
def test_when_it_began_tells(tmp_path: Path, began: float, found: list[str]) -> None:
    hook(tmp_path)
    daemon(tmp_path, began)
    assert daemons_without_hook(tmp_path) == found


def test_the_daemon_of_qemu_alone_is_one(tmp_path: Path) -> None:
    hook(tmp_path)
    daemon(tmp_path, -100, "virtqemud")
    assert daemons_without_hook(tmp_path) == ["virtqemud.service"]


def test_a_hook_of_before_is_enough(tmp_path: Path) -> None:
    hook(tmp_path)
    daemon(tmp_path, -100)
    hook(tmp_path, "qemu", 0o644)  # none: it cannot be run
    assert daemons_without_hook(tmp_path)


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    daemon(tmp_path, -100)
    assert not daemons_without_hook(tmp_path)  # no hook of ours
    hook(tmp_path)
    (tmp_path / "proc/stat").unlink()
    assert not daemons_without_hook(tmp_path)
    (tmp_path / "run/libvirtd.pid").write_text("no number")
    assert not daemons_without_hook(tmp_path)
