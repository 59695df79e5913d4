"""A host on which nothing is wrong, as the doctor sees it; tests change one thing."""

from __future__ import annotations

from typing import Any

from guestctl.config.config import Config
from guestctl.decisions.host_facts import HostFacts
from guestctl.decisions.host_state import HostState
from guestctl.model.guest import GuestFacts
from guestctl.model.host_details import HostDetails
from guestctl.model.host_folders import HostFolders
from guestctl.model.host_guests import GuestsInFull
from guestctl.model.host_ledger import LedgerSaid
from guestctl.model.host_needs import HostNeeds
from guestctl.model.host_power import PowerSupply
from guestctl.model.host_units import GUARD, RIVAL, SERVICE, HostUnits, HostWords, Unit
from guestctl.model.record import GuestRecord
from tests.unit.makers import BOOT, URI

GIB = 2**30
AT = 10**18

SAID: dict[str, Any] = {
    "running": True,
    "enabled": "enabled",
    "pid": 1,
    "configuration": {"source": "as in its files", "problems": [], "differs": []},
    "connections": {URI: "connected"},
    "logind": {"connected": True, "problem": ""},
}
WORDS = {
    SERVICE: Unit("active", "enabled"),
    GUARD: Unit("active", "static"),
    RIVAL: Unit("inactive", "disabled"),
}


def facts(
    guests: tuple[GuestFacts, ...] = (), records: tuple[GuestRecord, ...] = (), **more: Any
) -> HostFacts:
    """These guests, with room for their saves."""
    room = {URI: 100 * GIB}
    values: dict[str, Any] = {
        "config": Config(),
        "room": room,
        "guests": guests,
        "records": records,
    }
    values |= {"may_see": True, **more}
    return HostFacts(BOOT, AT, (URI,), True, True, **values)


def units(**differs: Any) -> HostUnits:
    """As they are where all is well, but for what differs."""
    return HostUnits(**{"words": HostWords(5.0, WORDS), **differs})


def healthy(**differs: Any) -> HostState:
    """All that is looked at, but for what differs."""
    parts: dict[str, Any] = {
        "facts": facts(),
        "service": SAID,
        "units": units(),
        "ledger": LedgerSaid("/var/lib/guestctl/ledger.db"),
        "guests": GuestsInFull(),
        "needs": HostNeeds(),
        "folders": HostFolders(),
        "details": HostDetails(),
        "power": PowerSupply(),
    }
    return HostState(**parts | differs)
