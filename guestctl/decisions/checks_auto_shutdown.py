"""Checks of libvirt's own auto-shutdown.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..model.finding import Finding, Severity
from ..model.host_auto_shutdown import QEMU_CONF
from ..model.host_state import known
from . import health
from .check import AtTakeover, Check
from .host_state import HostState

TAKEOVER = "guestctl takeover"


def _switched_on(state: HostState) -> Iterator[Finding]:
    settings = known(state.auto_shutdown).settings
    evidence = tuple(f"{QEMU_CONF}: {setting}" for setting in settings)
    for finding in health.of_auto_shutdown(settings):
        yield replace(finding, evidence=evidence)


def _scopes(state: HostState) -> Iterator[Finding]:
    """With it on they are as libvirt needs them."""
    found = known(state.auto_shutdown)
    if found.outliving and not found.settings:
        guests = ", ".join(scope.guest for scope in found.outliving)
        text = f"{guests}: started while libvirt's auto-shutdown was on, and still stopped as then"
        evidence = tuple(f"{scope.unit}: Before=libvirtd.service" for scope in found.outliving)
        yield Finding(text, TAKEOVER, evidence=evidence)


def _behind(state: HostState) -> Iterator[Finding]:
    """Where the file has it on, that finding's command restarts daemons as well."""
    found = known(state.auto_shutdown)
    for unit in found.behind if not found.settings else ():
        text = f"{unit} runs since before {QEMU_CONF} was written: it goes by what was there"
        yield Finding(
            text,
            f"systemctl restart {unit}",
            evidence=(f"{QEMU_CONF} is newer than its process",),
        )


CHECKS = (
    Check(
        "auto-shutdown",
        Severity.WARNING,
        "libvirt's own auto-shutdown is off",
        "Both take guests down as the host goes down: libvirt pauses all, saves one after another"
        " whatever is configured here, and marks them to be started once.",
        "Have guestctl take over; no guest is touched.",
        _switched_on,
        at_takeover=AtTakeover.MENDED,
    ),
    Check(
        "scope-order",
        Severity.WARNING,
        "no guest's scope is ordered as libvirt's auto-shutdown needs it",
        "systemd keeps these guests alive until libvirt's daemon has stopped, and not until"
        " virt-guest-shutdown.target has: should the daemon die, the host's stop ends them.",
        "Have guestctl take over: it changes the order, and guests run on. Or restart them.",
        _scopes,
        at_takeover=AtTakeover.MENDED,
    ),
    Check(
        "qemu-conf-unread",
        Severity.NOTE,
        "libvirt's daemon has read qemu.conf as it is now",
        "It goes by what stood there when it began, auto-shutdown included.",
        "Restart it; no guest is touched.",
        _behind,
    ),
)
