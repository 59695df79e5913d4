"""libvirt's auto-shutdown switched off, and on again."""

from __future__ import annotations

from ..host.libvirt import auto_shutdown
from .takeover_step import Say, Step, StepFailed


def step() -> Step:
    """Only refused so far where it is on."""
    return Step(
        "auto-shutdown",
        "see that libvirt's auto-shutdown is off",
        "",
        look=dict,
        is_done=lambda: not auto_shutdown.switched_on(),
        do=_refuse,
        undo=lambda _before, _say: None,
        is_back=lambda _before: True,
    )


def _refuse(_say: Say) -> None:
    raise StepFailed("cannot switch libvirt's auto-shutdown off: `guestctl status` says how")
