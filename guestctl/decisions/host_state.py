"""All that the doctor looks at, as one value.  Pure.

Here and not in the model, since guests and what is wanted of them are `HostFacts`.  A part that is
new gets a field here, its values in a module of the model, and a row in control/doctor/facts.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..model.host_auto_shutdown import AutoShutdown
from ..model.host_details import HostDetails, HostRunning
from ..model.host_folders import HostFolders
from ..model.host_guests import GuestsInFull
from ..model.host_ledger import LedgerSaid
from ..model.host_needs import HostNeeds
from ..model.host_power import PowerSupply
from ..model.host_state import NotKnown
from ..model.host_units import HostUnits
from .host_facts import HostFacts


def _not_asked(what: str) -> NotKnown:
    return NotKnown(what, "it was not looked at")


@dataclass(frozen=True)
class HostState:
    """Each part is a value, or why it is not known.

    facts: what plans go by.  service: what the service says of itself, as in status.json, with
    `running` and `enabled`.  units: what systemd and logind say.  guests: what only the doctor
    looks at of guests and their storage.  needs: what guests need to be started.  folders: of
    saves and of the ledger.  details: of libvirt's daemons and the bus, in files.  running: of
    processes, versions and the clock.  power: how a UPS is watched.  ledger: what it
    says beside facts.  auto_shutdown: libvirt's own.
    complaints: what went wrong as they were gathered.  mistakes: in the configuration's files.
    in_place: what is used in their place.
    """

    facts: HostFacts | NotKnown = _not_asked("guests, and what is wanted of them")
    service: Mapping[str, Any] | NotKnown = _not_asked("what the service says of itself")
    units: HostUnits | NotKnown = _not_asked("systemd's units")
    auto_shutdown: AutoShutdown | NotKnown = _not_asked("libvirt's auto-shutdown")
    guests: GuestsInFull | NotKnown = _not_asked("guests' storage and agents")
    needs: HostNeeds | NotKnown = _not_asked("what guests need to be started")
    folders: HostFolders | NotKnown = _not_asked("the folders of saves and of the ledger")
    details: HostDetails | NotKnown = _not_asked("libvirt's daemons, the bus and the clock")
    running: HostRunning | NotKnown = _not_asked("processes, versions and the clock")
    power: PowerSupply | NotKnown = _not_asked("what watches the UPS")
    ledger: LedgerSaid | NotKnown = _not_asked("past runs")
    complaints: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    in_place: str = ""


#: Fields that are parts, gathered each for itself.
PARTS = tuple(it.name for it in fields(HostState) if isinstance(it.default, NotKnown))
