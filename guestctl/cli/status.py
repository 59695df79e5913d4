"""The verb `status`: is this host's end in good hands?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from ..config.toml import quoted
from ..control.replies import Status
from ..model.finding import Finding
from .exits import Exit
from .options import client_of, complain_of_blindness
from .present import guests_status
from .sources import config_file
from .text import emit, print_json, printable, when

#: What stands before a line that goes on with the one above.
_MORE = ""
_AS_FOUND = "switched on after the host had booted without it: guests are left as they were found"


def status_verb(arguments: Namespace) -> int:
    """`status`; 0 when nothing is found to be wrong."""
    if arguments.guests:
        return guests_status(arguments)
    client = client_of(arguments)
    complain_of_blindness(client)
    found = client.status(hosts_files=not config_file(arguments))
    if arguments.json:
        print_json(found.values)
    else:
        for name, text in _lines(found):
            emit(f"{name and name + ':':<15} {printable(text)}\n")
    if not found.may_see:
        return Exit.NOT_PERMITTED
    return Exit.NOT_ALL_WELL if found.findings else Exit.OK


def _lines(found: Status) -> Iterator[tuple[str, str]]:
    values, service = found.values, found.values["service"]
    for finding in found.findings:
        yield from _finding(finding)
    yield "service", _service(service)
    yield from _configuration(service)
    for match in values["unmatched"]:
        yield "configuration", f"no guest is matched by [[guest]] match = {quoted(match)}"
    yield from _triggers(service, values["guard"])
    yield "inhibitor", _inhibitor(service, values["inhibit_delay"])
    yield from _interface(service)
    yield from service.get("connections", {}).items()
    for uri in service.get("as_found", ()):
        yield _MORE, f"{uri}: {_AS_FOUND}"
    ours = ", ".join(values["owns_autostart"])
    yield "autostart", f"by guestctl, on {ours}" if ours else "by libvirt, in this boot"
    yield "guests", _guests(service, values["wanted"])
    if doctor := values.get("doctor"):
        yield "doctor", _doctor(doctor)
    for guest in service.get("waiting", ()):
        how = "given up" if guest.get("given_up") else "waited for"
        yield how, f"{guest['name']}: {guest['for']}"
    for guest in values.get("shed", ()):
        yield "shed", _shed(guest)
    for name in ("current_run", "last_run"):
        run = _run(values[name]) if found.seen else _UNSEEN
        yield name.replace("_", " "), run


_UNSEEN = "unknown: the ledger could not be read"


def _finding(finding: Finding) -> Iterator[tuple[str, str]]:
    whom = f"{finding.name}: " if finding.name else ""
    yield "problem", whom + finding.text
    if finding.command:
        yield _MORE, f"-> {finding.command}"


def _doctor(said: dict[str, int]) -> str:
    """What it found when it looked last, which `problem` lines may have as well."""
    counted = [(said["errors"], "error"), (said["warnings"], "warning")]
    told = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counted if count]
    found = f"{', '.join(told)}, see guestctl doctor" if told else "nothing is wrong"
    return f"{found} (looked {when(said['at'])})"


def _guests(service: dict[str, Any], wanted: dict[str, int] | None) -> str:
    counted = f"what is wanted of them is {_UNSEEN}"
    if wanted is not None:
        counted = f"{wanted['on']} wanted on, {wanted['off']} wanted off, {wanted['held']} held"
    up = service.get("up")
    return counted if up is None else f"{len(up)} up, {counted}"


def _shed(guest: dict[str, Any]) -> str:
    since = f" since {when(guest['since'])}" if guest["since"] else ""
    return f"{guest['name']}{since} ({guest['reason']})"


def _service(service: dict[str, Any]) -> str:
    if service["running"] is None:
        return "unknown: neither it nor systemd can be asked"
    if not service["running"]:
        return "not running"
    if "pid" not in service:
        return "running; what it says of itself cannot be read"
    since = when(service["since"])
    return f"running since {since} (process {service['pid']}), {service['activity']}"


def _configuration(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if said := service.get("configuration"):
        read = f", read {when(said['read'])}" if "read" in said else ""
        yield "configuration", said["source"] + read


def _triggers(service: dict[str, Any], guard: str) -> Iterator[tuple[str, str]]:
    yield "triggers", f"announcements of logind are {_heard(service)}"
    off = service.get("enabled") in ("disabled", "masked")
    idle = f", and does nothing: guestctl.service is {service['enabled']}" if off else ""
    yield _MORE, f"stop of the units: the guard is {guard}{idle}"


def _heard(service: dict[str, Any]) -> str:
    if logind := service.get("logind"):
        return "heard" if logind["connected"] else f"not heard: {logind['problem']}"
    return "unknown" if service["running"] is not False else "not heard: the service does not run"


def _inhibitor(service: dict[str, Any], delay: float | None) -> str:
    waits = "" if delay is None else f"; logind waits at most {delay:g} s"
    logind = service.get("logind")
    if not logind:
        return f"{'unknown' if service['running'] is not False else 'not held'}{waits}"
    if logind["inhibitor"]:
        return f"held{waits}"
    return f"not held{'' if service.get('up') else ': no guest is up'}{waits}"


def _interface(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if said := service.get("interface"):
        problem = said["problem"]
        yield (
            "interface",
            f"not on the bus: {problem}" if problem else "on the bus, as org.guestctl1",
        )


def _run(run: dict[str, Any] | None) -> str:
    if run is None:
        return "none"
    end = "" if run["ended"] is None else ", well" if run["ok"] else ", not all well"
    return f"{run['id']}: {run['kind']} ({run['trigger']}) of {when(run['begun'])}{end}"
