"""What is wrong with the service and the host around it, for `status` and the doctor.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ..model.finding import Finding
from ..model.host_auto_shutdown import QEMU_CONF
from ..model.host_units import GUARD, RIVAL, SERVICE, HostWords, Unit
from ..model.uris import is_system
from .host_facts import HostFacts, LostConnection

#: Not `systemctl disable --now`: its stop acts on guests, and has to go first.
_WITHOUT_RIVAL = "guestctl takeover"
_ACTS = ("active", "activating")


def of_host(
    service: Mapping[str, Any], words: HostWords, lost: Iterable[LostConnection]
) -> list[Finding]:
    """service: what it says of itself, with `running`, which is None where that is not known.

    lost: what could not be read just now, which is news beside what the service says.
    """
    return [
        *of_service(service, words),
        *of_guard(service, words),
        *of_mistakes(service),
        *of_files(service),
        *of_connections(service, lost),
        *of_logind(service),
        *of_bus(service),
        *of_rival(words),
    ]


def of_auto_shutdown(settings: Collection[str]) -> list[Finding]:
    """libvirt's own auto-shutdown beside guestctl.  settings: that switch it on."""
    if not settings:
        return []
    text = (
        f"libvirt's own auto-shutdown is on ({', '.join(settings)} in {QEMU_CONF}): as the"
        " host goes down it takes guests down beside guestctl, and marks them"
    )
    return [Finding(text, "guestctl takeover")]


def of_service(service: Mapping[str, Any], words: HostWords) -> Iterator[Finding]:
    """guestctl.service does not run, or is not for the next boot."""
    unit = words.units.get(SERVICE)
    if unit and unit.is_off:
        yield _switched_off(unit, words)
    elif service["running"] is False:
        failed = unit is not None and unit.active == "failed"
        command = f"systemctl {'status' if failed else 'start'} {SERVICE}"
        yield Finding(f"the service {'has failed' if failed else 'does not run'}", command)
    elif service["running"] and "pid" not in service:
        yield Finding(
            "what the service says of itself cannot be read", f"systemctl status {SERVICE}"
        )


def _switched_off(unit: Unit, words: HostWords) -> Finding:
    """Beside libvirt-guests it must not be switched on: a takeover has that go first."""
    unmask = "" if unit.enabled == "disabled" else f"systemctl unmask {SERVICE} && "
    who = f"{RIVAL} and not guestctl sees" if _is_rivals(words) else "nobody sees"
    text = f"{SERVICE} is {unit.enabled}: as the host goes down {who} to its guests"
    on = _WITHOUT_RIVAL if _rival_is_on(words) else f"systemctl enable --now {SERVICE}"
    return Finding(text, f"{unmask}{on}")


def of_guard(service: Mapping[str, Any], words: HostWords) -> Iterator[Finding]:
    """Nobody finishes what the service began."""
    if service["running"] and words.units and words.active(GUARD) != "active":
        text = f"{GUARD} is {words.active(GUARD)}: nobody is there should the service be killed"
        yield Finding(text, f"systemctl start {GUARD}")


def of_mistakes(service: Mapping[str, Any]) -> Iterator[Finding]:
    """Something else is used in place of the configuration's files."""
    said = service.get("configuration") or {}
    for problem in said.get("problems", ()):
        yield of_mistake(problem, said["source"])


def of_mistake(mistake: str, in_place: str) -> Finding:
    """in_place: what is used for the time being."""
    text = f"the configuration has a mistake, {in_place} is used: {mistake}"
    return Finding(text, "guestctl check")


def of_files(service: Mapping[str, Any]) -> Iterator[Finding]:
    """The files are newer than what is in use."""
    said = service.get("configuration") or {}
    for difference in said.get("differs", ()):
        text = f"the service does not use its files as they are: {difference}"
        yield Finding(text, "guestctl reload")


def of_connections(service: Mapping[str, Any], lost: Iterable[LostConnection]) -> Iterator[Finding]:
    """libvirt does not answer, to the service or to whoever asks now."""
    unread = {connection.uri: connection.reason for connection in lost}
    for reason in unread.values():
        yield Finding(reason)
    for uri, state in service.get("connections", {}).items():
        if state != "connected" and uri not in unread:
            yield Finding(f"{uri}: {state}")
    for uri, guests in service.get("out_of_reach", {}).items():
        text = f"guests run on {uri}, which does not answer, and nobody could save them"
        yield Finding(f"{text}: {', '.join(guests)}", "systemctl start libvirtd")


def of_logind(service: Mapping[str, Any]) -> Iterator[Finding]:
    """Nobody tells the service that the host is to go down, before it does."""
    logind = service.get("logind")
    if logind and not logind["connected"]:
        text = f"announcements of logind are not heard: {logind['problem']}"
        yield Finding(text, "systemctl status systemd-logind.service")


def of_bus(service: Mapping[str, Any]) -> Iterator[Finding]:
    """Nobody but root's commands can ask the service.

    Not as it starts, nor where it is not root's; where there is no bus at all logind is not heard
    for the same reason, which is told once.
    """
    said, logind = service.get("interface") or {}, service.get("logind") or {}
    if said.get("on_bus") is False and said["problem"] != logind.get("problem"):
        text = f"the service is not on the bus as org.guestctl1: {said['problem']}"
        yield Finding(text, "busctl status org.guestctl1", evidence=("status.json: interface",))


def of_hook(daemons: Iterable[str], held: Iterable[str]) -> Iterator[Finding]:
    """daemons: units that run since before there was a hook.  held: guests whose save is stale."""
    guests = ", ".join(sorted(held))
    for unit in daemons if guests else ():
        text = f"{unit} runs since before there was guestctl's hook, and would resume {guests}"
        yield Finding(f"{text} from a stale save", f"systemctl restart {unit}")


def of_rival(words: HostWords) -> Iterator[Finding]:
    """libvirt-guests beside us."""
    rival = words.units.get(RIVAL)
    if rival and rival.active == "deactivating":
        text = f"{RIVAL} is being stopped, and takes down the guests that ran as that began"
        yield Finding(text, f"systemctl status {RIVAL}")
    elif rival and rival.stops and _rival_is_on(words) and not _is_rivals(words):
        text = f"{_how(rival)} beside guestctl: both take guests down and bring them back"
        yield Finding(text, _WITHOUT_RIVAL)


def of_rival_without_stop(words: HostWords, list_left: str) -> Iterator[Finding]:
    """libvirt-guests started, or enabled, after a takeover has taken its stop command away.

    list_left: the list of guests that its next start brings up; "" for none.
    """
    rival = words.units.get(RIVAL)
    if rival and _rival_is_on(words) and not rival.stops and rival.active != "deactivating":
        who = f"brings up those on {list_left}" if list_left else "has no list of whom to bring up"
        text = f"{_how(rival)}: its stop touches no guest, and its next start {who}"
        yield Finding(text, _WITHOUT_RIVAL)


def _how(unit: Unit) -> str:
    return f"{RIVAL} is {unit.active if unit.active == 'active' else unit.enabled}"


def _rival_is_on(words: HostWords) -> bool:
    rival = words.units.get(RIVAL)
    return rival is not None and (rival.active in _ACTS or rival.enabled == "enabled")


def _is_rivals(words: HostWords) -> bool:
    """Whether libvirt-guests sees to the guests of this boot, and guestctl is off beside it."""
    ours, rival = words.units.get(SERVICE), words.units.get(RIVAL)
    is_off = ours is not None and ours.is_off and ours.active != "active"
    return is_off and rival is not None and rival.active in _ACTS and rival.stops


def held_for_save(facts: HostFacts) -> list[str]:
    """Whom libvirt's daemons must not start."""
    return [
        record.name
        for record in facts.records
        if record.held_for_save and record.hold is not None and is_system(record.id.uri)
    ]


def of_ledger(facts: HostFacts, path: str, evidence: Iterable[str] = ()) -> Iterator[Finding]:
    """It is for this user to read, and cannot be."""
    if facts.may_see and not facts.sees_all:
        text = f"the ledger {path} cannot be read: what is wanted is not known"
        said = tuple(it for it in evidence if "ledger" in it)
        yield Finding(text, f"journalctl --unit={SERVICE} --boot", evidence=said)


def of_damaged(ledger: str) -> Finding:
    """A ledger that was set aside."""
    text = f"the ledger was damaged, and set aside as {ledger}; what could be read of it is in use"
    return Finding(text, f"rm {shlex.quote(ledger)}*")
