"""A host on which nothing is wrong, as the doctor sees it; tests change one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from guestctl.config.config import Config
from guestctl.decisions.host_facts import HostFacts
from guestctl.decisions.host_state import HostState
from guestctl.model.guest import GuestFacts
from guestctl.model.host_auto_shutdown import AutoShutdown
from guestctl.model.host_details import HostDetails, HostRunning
from guestctl.model.host_folders import HostFolders
from guestctl.model.host_guests import GuestsInFull
from guestctl.model.host_ledger import LedgerSaid
from guestctl.model.host_needs import HostNeeds
from guestctl.model.host_power import PowerSupply
from guestctl.model.host_units import (
    CLAIMER,
    FALLBACK,
    GUARD,
    PROBE,
    PROBE_SOCKET,
    RIVAL,
    SERVICE,
    SHUTDOWN_TARGET,
    Autostart,
    DropIn,
    HostUnits,
    HostWords,
    Unit,
    UnitInFull,
)
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


_PACKAGED = "/usr/lib/systemd/system"
_TIED = ("basic.target", SHUTDOWN_TARGET)


def unit(name: str, active: str = "active", enabled: str = "static", **differs: Any) -> UnitInFull:
    """A unit as it is where all is well, but for what differs."""
    values = {"load": "loaded", "fragment": f"{_PACKAGED}/{name}", **differs}
    return UnitInFull(name, active=active, enabled=enabled, **values)


def _of_ours(name: str, active: str = "active", enabled: str = "static") -> UnitInFull:
    hardening = DropIn(f"{_PACKAGED}/guestctl-.service.d/10-hardening.conf", ("UMask=0077",))
    return unit(name, active, enabled, drop_ins=(hardening,), requires=_TIED, after=_TIED)


ALL = (
    _of_ours(SERVICE, enabled="enabled"),
    _of_ours(GUARD),
    _of_ours(CLAIMER, enabled="enabled"),
    _of_ours(FALLBACK, "inactive"),
    _of_ours(PROBE, "inactive"),
    unit(PROBE_SOCKET),
    unit(RIVAL, "inactive", "disabled"),
    unit(SHUTDOWN_TARGET),
    unit("poweroff.target", "inactive", job_limit=1800.0),
    unit("reboot.target", "inactive", job_limit=1800.0),
    unit("halt.target", "inactive"),
    unit("kexec.target", "inactive"),
)


def units(**differs: Any) -> HostUnits:
    """As they are where all is well, but for what differs."""
    words, seen = HostWords(5.0, WORDS), {it.name: it for it in ALL}
    return HostUnits(**{"words": words, "units": seen, "autostart": Autostart((URI,)), **differs})


def units_but(name: str, **differs: Any) -> HostUnits:
    """The same, but for what differs of one of them."""
    seen = {it.name: it for it in ALL}
    return units(units={**seen, name: replace(seen[name], **differs)})


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
        "running": HostRunning(),
        "auto_shutdown": AutoShutdown(),
        "details": HostDetails(),
        "power": PowerSupply(),
    }
    return HostState(**parts | differs)
