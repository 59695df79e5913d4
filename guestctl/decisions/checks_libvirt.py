"""Checks of libvirt's daemons: their limits, since when they run, their versions.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..config.config import Config
from ..model.finding import Finding, Severity
from ..model.host_details import Daemon, SetTo, Version
from ..model.host_state import known
from .check import Check
from .host_state import HostState

#: For progress, aborts and others' calls, beside saves and starts that wait for guests.
WORKERS_BESIDE = 4
#: guestctl has four calls on a connection, and with as many as this the daemon reads no more of it.
REQUESTS = 5
#: What guestctl opens at most for one connection: for reading, long calls, ends and aborts.
CLIENTS = 42
#: Seconds that a client may be too busy to answer in.
KEEPALIVE = 10


class Limit(NamedTuple):
    """A setting of libvirtd.conf: the value where the file has none, and the least that will do.

    why: what is too little for what.
    """

    key: str
    default: int
    least: Callable[[Config], int]
    why: str


def _at_a_time(config: Config) -> int:
    return max(config.shutdown.parallel, config.boot.parallel)


LIMITS = (
    Limit(
        "max_workers",
        20,
        lambda config: _at_a_time(config) + WORKERS_BESIDE,
        "saves and starts at a time ([shutdown] and [boot] parallel) leave none for progress and"
        " aborts",
    ),
    Limit(
        "prio_workers",
        5,
        lambda _: 1,
        "while saves keep the others busy nobody tells the states of guests, or ends one",
    ),
    Limit(
        "max_client_requests",
        5,
        lambda _: REQUESTS,
        "guestctl has four calls on a connection, of which the daemon reads no more then, and"
        " which it drops after 30 s",
    ),
    Limit("max_clients", 5000, lambda _: CLIENTS, "guestctl has so many connections of its own"),
)


def _limits(state: HostState) -> Iterator[Finding]:
    config = known(state.facts).config
    for daemon in known(state.details).daemons:
        settings = known(daemon.settings)
        for limit in LIMITS:
            yield from _of_limit(daemon, limit, settings.get(limit.key), limit.least(config))
        yield from _of_keepalive(daemon, settings)


def _of_limit(daemon: Daemon, limit: Limit, given: SetTo | None, least: int) -> Iterator[Finding]:
    value = given.value if given else limit.default
    if isinstance(value, int) and value < least:
        text = f"{daemon.unit} has {limit.key} = {value}, and at least {least} are needed"
        seen = _where(daemon, limit.key, value, given)
        command = _set(daemon.unit, daemon.file, f"{limit.key} = {least}", given)
        yield Finding(f"{text}: {limit.why}", command, evidence=(seen,))


def _of_keepalive(daemon: Daemon, settings: Mapping[str, SetTo]) -> Iterator[Finding]:
    interval, count = (_number(settings, f"keepalive_{word}") for word in ("interval", "count"))
    given = settings.get("keepalive_interval") or settings.get("keepalive_count")
    if given and 0 < interval * (count + 1) < KEEPALIVE:
        text = (
            f"{daemon.unit} drops a client that does not answer for {interval * (count + 1)} s,"
            " which one that is busy may not"
        )
        seen = f"keepalive_interval = {interval}, keepalive_count = {count}: {given.where}"
        edit = _edited("/^ *keepalive_/s/^/#/", daemon.file)
        yield Finding(text, f"{edit} && systemctl restart {daemon.unit}", evidence=(seen,))


def _number(settings: Mapping[str, SetTo], key: str) -> int:
    """5 is libvirt's default of both."""
    value = settings[key].value if key in settings else 5
    return value if isinstance(value, int) else 5


def _where(daemon: Daemon, key: str, value: object, given: SetTo | None) -> str:
    if given is None:
        return f"{key} is not set in {daemon.file}: {value}, libvirt's default"
    return f"{given.where}: {key} = {value}"


def _set(unit: str, file: str, line: str, given: SetTo | None) -> str:
    """What has this line in the file, and the daemon go by it."""
    added = f"echo {shlex.quote(line)} >> {shlex.quote(file)}"
    edit = _edited(f"{given.line}s/.*/{line}/", file) if given else added
    return f"{edit} && systemctl restart {unit}"


def _edited(script: str, file: str) -> str:
    return f"sed -i {shlex.quote(script)} {shlex.quote(file)}"


#: Whose daemon crashes when a save that compresses is aborted, and leaves its guest paused.
_CRASHES: Version = (12, 8)
_PLAIN = ("raw", "sparse")


def _compressed(state: HostState) -> Iterator[Finding]:
    given = known(known(state.details).qemu).get("save_image_format")
    versions = known(state.running).servers
    if given and given.value not in _PLAIN:
        edit = _edited(f"{given.line}s/^/#/", given.file)
        command = f"{edit} && systemctl restart {_units(state)}"
        for uri, version in sorted(versions.items()):
            if version[:2] == _CRASHES:
                yield _crashes(uri, version, given, command)


def _crashes(uri: str, version: Version, given: SetTo, command: str) -> Finding:
    text = f"saves of {uri} are compressed ({given.value}), and one that is aborted, as when its"
    return Finding(
        f"{text} time is over, crashes this version of libvirt's daemon",
        command,
        evidence=(
            f'{given.where}: save_image_format = "{given.value}"',
            f"libvirt {_shown(version)}",
        ),
    )


def _units(state: HostState) -> str:
    return " ".join(daemon.unit for daemon in known(state.details).daemons) or "libvirtd.service"


def _outdated(state: HostState) -> Iterator[Finding]:
    for daemon in known(state.running).daemons:
        if daemon.newer:
            text = f"{daemon.unit} runs since before these files were changed"
            yield Finding(
                f"{text}: {', '.join(daemon.newer)}",
                f"systemctl restart {daemon.unit}",
                evidence=("by when its process began, and when each file was changed",),
            )


def _differ(state: HostState) -> Iterator[Finding]:
    running = known(state.running)
    for uri, version in sorted(running.servers.items()):
        if running.client and version != running.client:
            text = (
                f"the daemon of {uri} is libvirt {_shown(version)}, and the library of commands is"
            )
            command = f"systemctl restart {_units(state)}"
            yield Finding(f"{text} {_shown(running.client)}", command)


#: The oldest that guestctl was tried with.
_TRIED: Mapping[str, Version] = {"libvirt": (9, 0, 0), "systemd": (252,), "Python": (3, 11)}


def _old(state: HostState) -> Iterator[Finding]:
    running = known(state.running)
    found = [("libvirt", version) for version in sorted({*running.servers.values()})]
    found += [(what, it) for what, it in _others(running.systemd, running.python) if it]
    for what, version in found:
        if version < _TRIED[what]:
            text = f"{what} {_shown(version)} is older than any that guestctl was tried with"
            yield Finding(f"{text}, {_shown(_TRIED[what])}")


def _others(systemd: Version | None, python: Version | None) -> Iterator[tuple[str, Version]]:
    if systemd:
        yield "systemd", systemd
    if python:
        yield "Python", python


def _shown(version: Version) -> str:
    return ".".join(map(str, version))


CHECKS = (
    Check(
        "libvirtd-limits",
        Severity.WARNING,
        "libvirt's daemon has workers, requests and clients enough",
        "Calls wait for one another, or a connection is lost in the middle of a run.",
        "Set it in the daemon's file, and restart it, which touches no guest; or lower `parallel`.",
        _limits,
    ),
    Check(
        "compressed-saves",
        Severity.WARNING,
        "saves are not compressed where aborting one crashes libvirtd (12.8)",
        "A save that takes too long ends the daemon, and its guest stays paused.",
        "Take `save_image_format` out of qemu.conf, or upgrade libvirt.",
        _compressed,
        cheap=False,
    ),
    Check(
        "daemon-outdated",
        Severity.WARNING,
        "libvirt's daemon has started since its program and its own file were changed",
        "It does not go by what stands there now.",
        "Restart it, which touches no guest.",
        _outdated,
        cheap=False,
    ),
    Check(
        "versions-differ",
        Severity.NOTE,
        "libvirt's daemon and its library are of one version",
        "Usually an upgrade after which one of them was not restarted.",
        "Restart the daemon, which touches no guest.",
        _differ,
        cheap=False,
    ),
    Check(
        "versions-old",
        Severity.NOTE,
        "libvirt, systemd and Python are of versions that guestctl was tried with",
        "What it does with older ones nobody has seen.",
        "Upgrade it.",
        _old,
        cheap=False,
    ),
)
