"""Checks of systemd's units, and of logind.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.host_state import known
from . import health
from .check import Check
from .host_state import HostState


def _rival(state: HostState) -> Iterator[Finding]:
    yield from health.of_rival(known(state.units).words)


CHECKS = (
    Check(
        "libvirt-guests",
        Severity.ERROR,
        "libvirt-guests.service is neither enabled nor active",
        "Both take guests down as the host goes down, and bring them back at boot.",
        "Hand its guests over to guestctl; its own stop would take them down.",
        _rival,
    ),
)
