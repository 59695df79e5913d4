"""The verb `status`: is this host's end in good hands?"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from dataclasses import asdict
from typing import Any

from ..control import local as common
from ..host import machine, status_file
from ..host.bus import BusError, SystemBus
from ..host.libvirt import autostart
from ..host.locks import is_held
from ..ledger.ledger import Ledger
from ..model.history import PastRun
from ..model.record import GuestRecord
from .exits import Exit
from .text import emit, print_json, printable, when

GUARD = "guestctl-guard.service"
_LOGIN = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_SYSTEMD = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
)


def status_verb(arguments: Namespace) -> int:
    """`status`; 0 when the service is there and sees every connection."""
    said = status_file.read(machine.run_folder())
    found = _status(said)
    if arguments.json:
        print_json(found)
    else:
        for name, text in _lines(found):
            emit(f"{name + ':':<15} {printable(text)}\n")
    return Exit.OK if _is_well(found) else Exit.NOT_ALL_WELL


def _status(said: dict[str, Any] | None) -> dict[str, Any]:
    service = {"running": said is not None, **(said or {})}
    delay, guard = asyncio.run(_ask_host())
    nothing: _Recorded = ([], {"on": 0, "off": 0, "held": 0})
    runs, guests = common.ask_ledger(_recorded, nothing)
    under_way = bool(runs) and runs[0].ended is None and is_held(machine.state_folder())
    past = runs[1:] if under_way else runs
    return {
        "service": service,
        "guard": guard,
        "inhibit_delay": delay,
        "owns_autostart": list(autostart.claimed()),
        "wanted": guests,
        "current_run": asdict(runs[0]) if under_way else None,
        "last_run": asdict(past[0]) if past else None,
    }


_Recorded = tuple[list[PastRun], dict[str, int]]


def _recorded(ledger: Ledger) -> _Recorded:
    return ledger.runs(2), _wanted(ledger.guests().values())


def _wanted(known: Any) -> dict[str, int]:
    guests: list[GuestRecord] = list(known)
    count = Counter(str(guest.wanted) for guest in guests if guest.wanted is not None)
    held = sum(guest.hold is not None for guest in guests)
    return {"on": count["on"], "off": count["off"], "held": held}


async def _ask_host() -> tuple[float | None, str]:
    """Seconds that logind waits for inhibitors, and the state of the guard."""
    try:
        bus = await SystemBus.connect()
    except BusError:
        return None, "unknown"
    try:
        return await _delay(bus), await _guard(bus)
    finally:
        bus.close()


async def _delay(bus: SystemBus) -> float | None:
    try:
        return float(await bus.get_property(*_LOGIN, "InhibitDelayMaxUSec")) / 1e6
    except BusError:
        return None


async def _guard(bus: SystemBus) -> str:
    try:
        (units,) = await bus.call(*_SYSTEMD, "ListUnitsByNames", "as", ([GUARD],))
        return str(units[0][3])
    except (BusError, IndexError):
        return "unknown"


def _is_well(found: dict[str, Any]) -> bool:
    service = found["service"]
    connected = all(state == "connected" for state in service.get("connections", {}).values())
    mistakes = service.get("configuration", {}).get("problems")
    return bool(service["running"] and connected and not mistakes)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    service = found["service"]
    lines = [("service", _service(service))]
    if service.get("configuration"):
        lines.append(("configuration", service["configuration"]["source"]))
        lines += [("", f"mistake: {text}") for text in service["configuration"]["problems"]]
    lines += [("triggers", text) for text in _triggers(service, found["guard"])]
    lines.append(("inhibitor", _inhibitor(service, found["inhibit_delay"])))
    lines += [(uri, state) for uri, state in service.get("connections", {}).items()]
    owned = ", ".join(found["owns_autostart"]) or "libvirt's, in this boot"
    lines.append(("autostart", owned))
    up, wanted = service.get("up"), found["wanted"]
    counted = f"{wanted['on']} wanted on, {wanted['off']} wanted off, {wanted['held']} held"
    lines.append(("guests", counted if up is None else f"{len(up)} up, {counted}"))
    lines.append(("current run", _run(found["current_run"])))
    lines.append(("last run", _run(found["last_run"])))
    return lines


def _service(service: dict[str, Any]) -> str:
    if not service["running"]:
        return "not running: systemctl status guestctl"
    if "pid" not in service:
        return "running; what it says of itself cannot be read"
    since = when(service["since"])
    return f"running since {since} (process {service['pid']}), {service['activity']}"


def _triggers(service: dict[str, Any], guard: str) -> list[str]:
    logind = service.get("logind")
    heard = "not heard: the service does not run"
    if logind:
        heard = "heard" if logind["connected"] else f"not heard: {logind['problem']}"
    return [f"announcements of logind are {heard}", f"stop of the units: the guard is {guard}"]


def _inhibitor(service: dict[str, Any], delay: float | None) -> str:
    waits = "" if delay is None else f"; logind waits at most {delay:g} s"
    logind = service.get("logind")
    if not logind:
        return f"not held{waits}"
    if logind["inhibitor"]:
        return f"held{waits}"
    return f"not held{'' if service.get('up') else ': no guest is up'}{waits}"


def _run(run: dict[str, Any] | None) -> str:
    if run is None:
        return "none"
    end = "" if run["ended"] is None else ", well" if run["ok"] else ", not all well"
    return f"{run['id']}: {run['kind']} ({run['trigger']}) of {when(run['begun'])}{end}"
