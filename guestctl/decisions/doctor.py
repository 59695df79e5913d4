"""The doctor: all checks, and what they find.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..model.finding import Finding, Severity
from ..model.host_state import NotKnown, NotSeen
from . import (
    checks_agents,
    checks_auto_shutdown,
    checks_boot,
    checks_folders,
    checks_guests,
    checks_installed,
    checks_libvirt,
    checks_power,
    checks_service,
    checks_stop,
    checks_time,
    checks_units,
    checks_wanted,
)
from .check import Check
from .host_state import HostState

#: What could not be looked at; no check finds it.
NOT_KNOWN = "not-known"
CHECKS: tuple[Check, ...] = (
    *checks_service.CHECKS,
    *checks_units.CHECKS,
    *checks_stop.CHECKS,
    *checks_time.CHECKS,
    *checks_auto_shutdown.CHECKS,
    *checks_guests.CHECKS,
    *checks_agents.CHECKS,
    *checks_boot.CHECKS,
    *checks_wanted.CHECKS,
    *checks_folders.CHECKS,
    *checks_power.CHECKS,
    *checks_libvirt.CHECKS,
    *checks_installed.CHECKS,
)

_WORST_FIRST = tuple(Severity)


@dataclass
class _Found:
    """findings: so far.  unseen: which checks could not be made, by what was not known."""

    findings: list[Finding] = field(default_factory=list)
    unseen: dict[NotKnown, list[str]] = field(default_factory=dict)

    def add(self, check: Check, state: HostState) -> None:
        """What this check finds; what it found before something was not known counts."""
        try:
            for finding in check.find(state):
                named = replace(finding, check=check.name, remedy=check.remedy)
                self.findings.append(replace(named, severity=check.severity))
        except NotSeen as error:
            self.unseen.setdefault(error.of, []).append(check.name)
        except Exception as error:  # noqa: BLE001 - one bad check must not keep others from being made
            fault = NotKnown(f"what {check.name} looks at", f"internal error: {error!r}")
            self.unseen.setdefault(fault, []).append(check.name)


def examine(
    state: HostState, *, cheap_only: bool = False, checks: Iterable[Check] = CHECKS
) -> list[Finding]:
    """What is wrong, worst first; what could not be looked at is a finding of its own."""
    found = _Found()
    for check in checks:
        if check.cheap or not cheap_only:
            found.add(check, state)
    unseen = (_not_known(what, names) for what, names in found.unseen.items())
    return sorted([*found.findings, *unseen], key=lambda it: _WORST_FIRST.index(it.severity))


def _not_known(what: NotKnown, checks: Iterable[str]) -> Finding:
    text = f"{what.what} cannot be looked at: {what.reason}"
    evidence = f"not checked: {', '.join(checks)}"
    # What another user may see is no fault of the host's.
    severity = Severity.NOTE if what.refused else Severity.WARNING
    return Finding(text, check=NOT_KNOWN, severity=severity, evidence=(evidence,))
