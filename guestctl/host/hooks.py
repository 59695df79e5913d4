"""Whether libvirt calls our hook: its daemon looks only as it starts whether there are any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .libvirt.processes import QEMU, ROOT, began

_HOOKS, _OURS = "etc/libvirt/hooks", "qemu.d/guestctl"
HOOK = f"/{_HOOKS}/{_OURS}"


def daemons_without_hook(root: Path = ROOT) -> list[str]:
    """Units of daemons that run since before there was a hook for QEMU's guests.

    Once there was one, of whomever, each start calls all that are there.
    """
    hooks = root / _HOOKS
    if not os.access(hooks / _OURS, os.X_OK):
        return []
    first = min(_changed(hooks), default=0.0)
    begun = {daemon.unit: began(daemon, root) for daemon in QEMU}
    return [unit for unit, when in begun.items() if when is not None and when < first]


def _changed(hooks: Path) -> Iterator[float]:
    """When each of the hooks came there, in seconds since the epoch."""
    for hook in (hooks / "qemu", *(hooks / "qemu.d").glob("*")):
        if os.access(hook, os.X_OK) and hook.is_file():
            yield hook.stat().st_ctime
