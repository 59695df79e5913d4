"""Checks of the service, its configuration and its connections.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..model.finding import Finding, Severity
from ..model.host_state import known
from ..model.host_units import GUARD, SERVICE, HostUnits
from . import health
from .check import AtTakeover, Check
from .host_state import HostState


def _service(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    yield from _with(units, SERVICE, health.of_service(known(state.service), units.words))


def _guard(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    yield from _with(units, GUARD, health.of_guard(known(state.service), units.words))


def _with(units: HostUnits, name: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """The same with what systemd says of that unit."""
    unit = units.units.get(name)
    evidence = (unit.states,) if unit else ()
    yield from (replace(finding, evidence=evidence) for finding in found)


def _mistakes(state: HostState) -> Iterator[Finding]:
    said = known(state.service)
    yield from health.of_mistakes(said)
    # Of those that the service has not seen yet, or where none runs.
    told = (said.get("configuration") or {}).get("problems", ())
    for mistake in state.mistakes:
        if mistake not in told:
            yield health.of_mistake(mistake, state.in_place)


def _files(state: HostState) -> Iterator[Finding]:
    yield from health.of_files(known(state.service))


def _connections(state: HostState) -> Iterator[Finding]:
    yield from health.of_connections(known(state.service), known(state.facts).lost)


def _logind(state: HostState) -> Iterator[Finding]:
    yield from health.of_logind(known(state.service))


CHECKS = (
    Check(
        "service-off",
        Severity.ERROR,
        "guestctl.service runs, and is for the next boot",
        "As the host goes down nobody takes its guests to safety, but for the guard where that is"
        " active; at boot nobody brings them back.",
        "Start and enable it, or have it take over from libvirt-guests; where it has failed, its"
        " journal says why.",
        _service,
        at_takeover=AtTakeover.MENDED,
    ),
    Check(
        "guard-off",
        Severity.WARNING,
        "guestctl-guard.service is active",
        "Should the service be killed, or fail, as the host goes down, nobody finishes its work.",
        "Start it.",
        _guard,
    ),
    Check(
        "config-mistakes",
        Severity.ERROR,
        "the configuration in use is the one in its files",
        "The files have mistakes, and the last good ones, or what is right in them, is used.",
        "Mend the lines that `guestctl check` names.",
        _mistakes,
    ),
    Check(
        "config-not-loaded",
        Severity.WARNING,
        "the service uses its files as they are now",
        "What was written there lately is not heeded yet.",
        "Have the service read them.",
        _files,
    ),
    Check(
        "connection-lost",
        Severity.ERROR,
        "libvirt answers on each connection",
        "Guests of that connection can be neither saved nor started.",
        "Start libvirt's daemon; its journal says why it does not answer.",
        _connections,
    ),
    Check(
        "logind-not-heard",
        Severity.ERROR,
        "logind's announcements are heard",
        "The service learns that the host goes down only as it is stopped itself.",
        "See why logind, or the system's bus, does not answer.",
        _logind,
    ),
)
