"""Checks of systemd's units: guestctl's own, and those beside them.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..model.finding import Finding, Severity
from ..model.host_state import known
from ..model.host_units import (
    CLAIMER,
    FALLBACK,
    GUARD,
    OURS,
    PROBE,
    PROBE_SOCKET,
    RIVAL,
    SERVICE,
    SHUTDOWN_TARGET,
    DropIn,
    UnitInFull,
)
from . import health
from .check import AtTakeover, Check
from .drop_ins import is_anothers, matters
from .host_state import HostState


def _ours(state: HostState) -> list[UnitInFull]:
    units = known(state.units).units
    return [units[name] for name in OURS if name in units]


def _files(unit: UnitInFull) -> tuple[str, ...]:
    return tuple(f"{unit.name}: {path}" for path in (unit.fragment, *_paths(unit)) if path)


def _paths(unit: UnitInFull) -> Iterator[str]:
    yield from (drop_in.path for drop_in in unit.drop_ins)


def _rival(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    rival = units.units.get(RIVAL)
    evidence = () if rival is None else (rival.states, *_files(rival))
    for finding in health.of_rival(units.words):
        yield replace(finding, evidence=evidence)


def _starts_its_list(state: HostState) -> Iterator[Finding]:
    if known(state.units).list_left:
        yield from _without_stop(state)


def _idle(state: HostState) -> Iterator[Finding]:
    if not known(state.units).list_left:
        yield from _without_stop(state)


def _without_stop(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    rival = units.units.get(RIVAL)
    evidence = () if rival is None else (rival.states, *_files(rival))
    for finding in health.of_rival_without_stop(units.words, units.list_left):
        yield replace(finding, evidence=evidence)


def _cut_off(state: HostState) -> Iterator[Finding]:
    if record := known(state.units).cut_off:
        text = "a takeover, or a handback, was cut off in the middle"
        yield Finding(text, "guestctl takeover", evidence=(f"{record} says how far it is",))


def _target(state: HostState) -> Iterator[Finding]:
    units, runs = known(state.units).units, known(state.service).get("running")
    for name in (SERVICE, GUARD):
        unit = units.get(name)
        if unit and unit.load == "loaded" and not _is_tied(unit):
            text = f"{name} neither requires nor follows {SHUTDOWN_TARGET} as it has to"
            how = f"Requires={' '.join(unit.requires)}"
            yield Finding(
                f"{text}: {_LOST}", f"systemctl cat {name}", evidence=(how, *_files(unit))
            )
    target = units.get(SHUTDOWN_TARGET)
    if target and runs and target.active != "active":
        text = f"{SHUTDOWN_TARGET} is {target.active}, and orders nothing: {_LOST}"
        command = f"systemctl start {SHUTDOWN_TARGET}"
        yield Finding(text, command, evidence=(target.states, *_files(target)))


_LOST = "as the host goes down systemd ends the guests while they are being saved"


def _is_tied(unit: UnitInFull) -> bool:
    return SHUTDOWN_TARGET in unit.requires and SHUTDOWN_TARGET in unit.after


_MISSING = {
    GUARD: "nobody finishes what the service began, should it be killed as the host goes down",
    CLAIMER: "libvirt starts guests at boot by itself, and resumes whatever save they have",
    FALLBACK: "no guest comes up at boot where the service fails",
}


def _missing(state: HostState) -> Iterator[Finding]:
    for unit in _ours(state):
        if unit.name in _MISSING and unit.load != "loaded":
            text = f"{unit.name} is {unit.load}: {_MISSING[unit.name]}"
            yield Finding(text, _mend(unit), evidence=(unit.states, *_files(unit)))


def _mend(unit: UnitInFull) -> str:
    masked = unit.load == "masked"
    return f"systemctl unmask {unit.name}" if masked else f"systemctl status {unit.name}"


def _claimer(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    unit = units.units.get(CLAIMER)
    is_on = units.words.enabled(SERVICE) == "enabled"
    if unit and is_on and unit.load == "loaded" and unit.enabled != "enabled":
        text = f"{CLAIMER} is {unit.enabled or 'not enabled'}: {_MISSING[CLAIMER]}"
        yield Finding(text, f"systemctl enable {CLAIMER}", evidence=(unit.states,))


def _failed(state: HostState) -> Iterator[Finding]:
    for unit in _ours(state):
        # Of the service and its guard other checks tell.
        if unit.active == "failed" and unit.name not in (SERVICE, GUARD):
            text = f"{unit.name} has failed"
            command = f"journalctl --boot --unit={unit.name}"
            yield Finding(text, command, evidence=(unit.states,))


def _probe(state: HostState) -> Iterator[Finding]:
    units, runs = known(state.units).units, known(state.service).get("running")
    for name in (PROBE_SOCKET, PROBE):
        unit = units.get(name)
        if unit and unit.load != "loaded":
            text = f"{name} is {unit.load}: guests that are ready by a port never are"
            yield Finding(text, _mend(unit), evidence=(unit.states,))
        elif unit and runs and name == PROBE_SOCKET and unit.active == "inactive":
            text = f"{name} is {unit.active}: guests that are ready by a port never are"
            yield Finding(text, f"systemctl start {name}", evidence=(unit.states,))


def _replaced(state: HostState) -> Iterator[Finding]:
    for unit in _ours(state):
        if unit.load == "loaded" and unit.replaces:
            text = f"{unit.fragment} is used in place of guestctl's own {unit.replaces}"
            command = f"diff {unit.replaces} {unit.fragment}"
            yield Finding(text, command, evidence=_files(unit))


def _overridden(state: HostState) -> Iterator[Finding]:
    yield from _drop_ins(state, that_matter=True)


def _adjusted(state: HostState) -> Iterator[Finding]:
    yield from _drop_ins(state, that_matter=False)


def _drop_ins(state: HostState, *, that_matter: bool) -> Iterator[Finding]:
    for unit in _ours(state):
        for drop_in in unit.drop_ins:
            if is_anothers(drop_in) and matters(drop_in) is that_matter:
                text = f"{unit.name} is changed by {drop_in.path}"
                yield Finding(text, f"systemctl cat {unit.name}", evidence=_told(drop_in))


def _told(drop_in: DropIn) -> tuple[str, ...]:
    told = drop_in.settings or (drop_in.trouble or "it sets nothing",)
    instead = (f"it replaces {drop_in.replaces}",) if drop_in.replaces else ()
    return (*instead, *told)


def _outdated(state: HostState) -> Iterator[Finding]:
    # systemd 252 says it of a masked unit that has drop-ins, however often it reads them.
    units = known(state.units).units.values()
    old = [unit for unit in units if unit.outdated and unit.load != "masked"]
    if old:
        text = f"systemd has not read the files of {', '.join(unit.name for unit in old)}"
        evidence = tuple(path for unit in old for path in _files(unit))
        yield Finding(f"{text} since they changed", "systemctl daemon-reload", evidence=evidence)


CHECKS = (
    Check(
        "libvirt-guests",
        Severity.ERROR,
        "libvirt-guests.service is neither enabled nor active",
        "Both take guests down as the host goes down, and bring them back at boot.",
        "Hand its guests over to guestctl; its own stop would take them down.",
        _rival,
        at_takeover=AtTakeover.MENDED,
    ),
    Check(
        "libvirt-guests-list",
        Severity.WARNING,
        "libvirt-guests.service, its stop command taken away, has no list of guests to start",
        "Its next start, by hand or at boot, brings up all guests on the list, whatever was wanted"
        " of them since. As it stops it touches none.",
        "Hand the list over to guestctl, and switch it off.",
        _starts_its_list,
    ),
    Check(
        "libvirt-guests-idle",
        Severity.NOTE,
        "libvirt-guests.service, its stop command taken away, is neither enabled nor active",
        "It does nothing: its stop touches no guest, and it has no list of whom to start.",
        "Nothing has to be done. `guestctl takeover` switches it off again.",
        _idle,
    ),
    Check(
        "takeover-cut-off",
        Severity.WARNING,
        "no takeover and no handback was cut off in the middle",
        "guestctl and who was in charge before may both be on.",
        "Go on with it by `guestctl takeover`, or back by `guestctl handback`.",
        _cut_off,
    ),
    Check(
        "shutdown-target",
        Severity.ERROR,
        "virt-guest-shutdown.target is active, and guestctl.service and its guard hang on it",
        "Guests' scopes are ordered before it: where it is not part of the host's stop, systemd"
        " ends guests at once, while they are being saved.",
        "Start it; take out what changes `Requires=` and `After=` of guestctl's units.",
        _target,
        at_takeover=AtTakeover.MENDED,
    ),
    Check(
        "unit-missing",
        Severity.ERROR,
        "guestctl's units are there, and not masked",
        "What the unit is for is not done: as its finding says.",
        "Unmask it; install guestctl anew where its file is gone.",
        _missing,
    ),
    Check(
        "autostart-off",
        Severity.WARNING,
        "guestctl-autostart.service is enabled where guestctl.service is",
        "libvirt starts guests with its autostart flag before guestctl looks at them, and"
        " resumes whatever save they have.",
        "Enable it.",
        _claimer,
    ),
    Check(
        "unit-failed",
        Severity.WARNING,
        "no unit of guestctl has failed",
        "What it does was not done in this boot.",
        "Its journal says why. Start it once that is mended, or `systemctl reset-failed` it.",
        _failed,
    ),
    Check(
        "probe-off",
        Severity.WARNING,
        "guestctl's probe of ports can be asked",
        "Guests whose `ready` names a port are never ready: who comes after them waits in vain.",
        "Unmask or start it.",
        _probe,
    ),
    Check(
        "unit-replaced",
        Severity.WARNING,
        "guestctl's units are the files that came with it",
        "A file in /etc or /run stays as it is when guestctl is upgraded, and lacks what the new"
        " one needs.",
        "Remove it; what has to differ belongs into a drop-in.",
        _replaced,
    ),
    Check(
        "unit-overridden",
        Severity.WARNING,
        "no drop-in changes how guestctl's units are run, stopped, ordered or confined",
        "What guestctl relies on may not hold: to be stopped after guests, to be given time, to"
        " see guests' files.",
        "Take it out, or be sure of it: shut the host down once, and look at `guestctl history`.",
        _overridden,
    ),
    Check(
        "unit-adjusted",
        Severity.NOTE,
        "no drop-in changes guestctl's units otherwise",
        "Its settings count, and guestctl does not rely on what they change.",
        "Nothing has to be done.",
        _adjusted,
    ),
    Check(
        "unit-outdated",
        Severity.WARNING,
        "systemd has read the files of these units as they are",
        "What was changed in them does not count until it does.",
        "Have it read them.",
        _outdated,
    ),
)
