"""The verb `status`: is this host's end in good hands?"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..control.status import is_well, status
from .exits import Exit
from .options import local_of
from .text import emit, print_json, printable, when


def status_verb(arguments: Namespace) -> int:
    """`status`; 0 when the service is there and sees every connection."""
    found = status(local_of(arguments))
    if arguments.json:
        print_json(found)
    else:
        for name, text in _lines(found):
            emit(f"{name + ':':<15} {printable(text)}\n")
    return Exit.OK if is_well(found) else Exit.NOT_ALL_WELL


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    service = found["service"]
    lines = [("service", _service(service))]
    lines += [("configuration", text) for text in _configuration(service)]
    lines += [("triggers", text) for text in _triggers(service, found["guard"])]
    lines.append(("inhibitor", _inhibitor(service, found["inhibit_delay"])))
    lines += [(uri, state) for uri, state in service.get("connections", {}).items()]
    owned = ", ".join(found["owns_autostart"]) or "libvirt's, in this boot"
    lines.append(("autostart", owned))
    up, wanted = service.get("up"), found["wanted"]
    counted = f"{wanted['on']} wanted on, {wanted['off']} wanted off, {wanted['held']} held"
    lines.append(("guests", counted if up is None else f"{len(up)} up, {counted}"))
    for uri, guests in service.get("out_of_reach", {}).items():
        text = f"{', '.join(guests)}: nobody could save them; systemctl start libvirtd"
        lines.append(("out of reach", f"guests run on {uri}, which does not answer: {text}"))
    waits = service.get("waiting", [])
    lines += [("waited for", f"{it['name']}: {it['for']}") for it in waits]
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


def _configuration(service: dict[str, Any]) -> list[str]:
    said = service.get("configuration")
    if not said:
        return []
    read = f", read {when(said['read'])}" if "read" in said else ""
    lines = [said["source"] + read, *(f"mistake: {text}" for text in said["problems"])]
    if said.get("differs"):
        lines.append("not used yet (`systemctl reload guestctl` has the files read now):")
        lines += [f"  {text}" for text in said["differs"]]
    return lines


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
