"""Whether libvirt calls our hook: its daemon looks only as it starts whether there are any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
_HOOKS, _OURS = "etc/libvirt/hooks", "qemu.d/guestctl"
#: The daemons that may have QEMU's guests, by the files of their process ids.
_DAEMONS = {"libvirtd.service": "run/libvirtd.pid", "virtqemud.service": "run/virtqemud.pid"}


def daemons_without_hook(root: Path = ROOT) -> list[str]:
    """Units of daemons that run since before there was a hook for QEMU's guests.

    Once there was one, of whomever, each start calls all that are there.
    """
    hooks = root / _HOOKS
    if not os.access(hooks / _OURS, os.X_OK):
        return []
    first = min(_changed(hooks), default=0.0)
    began = {unit: _began(root, root / file) for unit, file in _DAEMONS.items()}
    return [unit for unit, when in began.items() if when is not None and when < first]


def _changed(hooks: Path) -> Iterator[float]:
    """When each of the hooks came there, in seconds since the epoch."""
    for hook in (hooks / "qemu", *(hooks / "qemu.d").glob("*")):
        if os.access(hook, os.X_OK) and hook.is_file():
            yield hook.stat().st_ctime


def _began(root: Path, file: Path) -> float | None:
    """When the process of that file began, by the clock of now; None where there is none."""
    try:
        process = int(file.read_text())
        fields = (root / f"proc/{process}/stat").read_text().rpartition(")")[2].split()
        lines = (root / "proc/stat").read_text().splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, ValueError, StopIteration):
        return None
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc(5): starttime
