"""`doctor`: this host examined by this process, also where the service could be asked.

It is to say what is wrong with the service as well.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...config.last_good import Loaded
from ...decisions.doctor import examine
from ...decisions.host_state import HostState
from ...host import machine
from ...model.finding import Finding, Severity
from ...model.host_state import NotKnown
from ..configured import load_in_time, uris_of
from ..local import Local
from ..queries import incomplete
from ..requests import Failure
from . import findings_file
from .facts import host_state
from .findings_file import Last, Told

#: The least share of the processor that there is.
_NICE = 19


class Examined(NamedTuple):
    """findings: worst first.  failure: how incomplete that is.  may_see: whether what is wanted of
    the guests is for this user to read."""

    findings: list[Finding]
    failure: Failure | None = None
    may_see: bool = True

    @property
    def is_well(self) -> bool:
        """Whether nothing is worse than a note."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)


def doctor(
    loaded: Loaded, connect: str | None, *, hosts_files: bool, cheap_only: bool = False
) -> Examined:
    """What is wrong with this host.

    loaded: the configuration, and what is used in place of one with mistakes.  connect: a URI
    instead of the configured ones.  hosts_files: whether the configuration is the host's.
    """
    complaints: list[str] = []
    uris = uris_of(loaded.config, connect)
    local = Local(loaded.config, uris, complaints.append, makeshift=bool(loaded.problems))
    state = host_state(local, complaints, hosts_files=hosts_files, cheap_only=cheap_only)
    mistakes = tuple(map(str, loaded.problems))
    state = replace(state, mistakes=mistakes, in_place=loaded.source)
    findings = examine(state, cheap_only=cheap_only)
    return Examined(findings, _failure(state, local), local.sees_all)


def examine_for_service(file: Path | None, connect: str | None) -> None:
    """The cheap part, for the service to tell of; see its configuration for file and connect.

    Raises OSError.
    """
    with contextlib.suppress(OSError):  # nobody waits for it
        os.nice(_NICE)
    loaded, ours = load_in_time(file), file is None
    _keep(doctor(loaded, connect, hosts_files=ours, cheap_only=True))


def _failure(state: HostState, local: Local) -> Failure | None:
    if isinstance(state.facts, NotKnown):
        return None  # a finding says so
    if not local.sees_all:
        return Failure.NOT_PERMITTED
    return incomplete(state.facts)


def keep_for_status(found: Examined) -> None:
    """What it found is newer than what the service had found; not worth failing for."""
    if machine.is_root():
        with contextlib.suppress(OSError):
            _keep(found)


def _keep(found: Examined) -> None:
    """Notes are left out."""
    told = tuple(_told(it) for it in found.findings if it.severity is not Severity.NOTE)
    findings_file.write(machine.run_folder(), Last(time.time_ns(), told))


def _told(finding: Finding) -> Told:
    return Told(finding.check, str(finding.severity), finding.name, finding.text, finding.command)


def finding_json(finding: Finding) -> dict[str, Any]:
    """As `doctor --json` has it."""
    return {
        "check": finding.check,
        "severity": str(finding.severity),
        "guest": _guest_json(finding),
        "problem": finding.text,
        "evidence": list(finding.evidence),
        "remedy": finding.remedy or None,
        "command": finding.command or None,
    }


def _guest_json(finding: Finding) -> dict[str, str | None] | None:
    if not finding.name:
        return None
    guest = finding.guest
    uuid, uri = (guest.uuid, guest.uri) if guest else (None, None)
    return {"name": finding.name, "uuid": uuid, "uri": uri}
