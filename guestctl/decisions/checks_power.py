"""Checks of what watches the UPS: whether it gives guests their time.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.host_power import Upsmon
from ..model.host_state import known
from ..model.options import PROFILES_OF_STOPS
from ..model.units import show_duration
from .check import AtTakeover, Check
from .host_state import HostState
from .profiles import under

#: From this NUT on SHUTDOWNEXIT does what it says (its pull request 3086): before, upsmon was gone
#: a minute after SHUTDOWNCMD at the latest, whatever was set.
_STAYS_SINCE = (2, 8, 5)
#: "systemctl poweroff --force" and the like end all processes at once, QEMU among them.
_FORCED = re.compile(r"\b(systemctl|poweroff|halt|reboot)\b[^;&|]*\s(-f+|--force)\b")


def _upsmon(state: HostState) -> Upsmon | None:
    return known(state.power).upsmon


def _secondary(state: HostState) -> Iterator[Finding]:
    upsmon = _upsmon(state)
    if upsmon is None or (upsmon.stays and upsmon.version >= _STAYS_SINCE):
        return
    which = f"upsmon {_dotted(upsmon.version)}" if upsmon.version else "upsmon"
    stays = f"SHUTDOWNEXIT {'no' if upsmon.stays else 'yes'}"
    for monitor in upsmon.monitors:
        if not monitor.is_primary and monitor.ups not in upsmon.beside:
            text = (
                f"{which} logs off from the primary of {monitor.ups} before guests are safe,"
                " and the primary may have the power cut by then"
            )
            line = f"{upsmon.file}: MONITOR {monitor.ups} … secondary; {stays}"
            yield Finding(text, evidence=(line,))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _command(state: HostState) -> Iterator[Finding]:
    upsmon = _upsmon(state)
    if upsmon is not None and not upsmon.shutdown_command:
        text = "upsmon has no SHUTDOWNCMD: the battery runs out with all guests up"
        yield Finding(text, evidence=(f"{upsmon.file}: no line SHUTDOWNCMD",))


def _forced(state: HostState) -> Iterator[Finding]:
    upsmon = _upsmon(state)
    if upsmon is not None and _FORCED.search(upsmon.shutdown_command):
        text = "upsmon ends the host by force when the battery is low: no guest is saved"
        yield Finding(text, evidence=(_of_command(upsmon),))


def _time(state: HostState) -> Iterator[Finding]:
    upsmon = _upsmon(state)
    if upsmon is None or not upsmon.shutdown_command or "guestctl" in upsmon.shutdown_command:
        return
    config = under(known(state.facts).config, PROFILES_OF_STOPS["poweroff"])
    deadline = show_duration(config.shutdown.deadline)
    text = f"with the battery low guests are given {deadline}, however long it lasts"
    yield Finding(text, evidence=(_of_command(upsmon), f"deadline of a poweroff: {deadline}"))


def _of_command(upsmon: Upsmon) -> str:
    return f"{upsmon.file}: SHUTDOWNCMD {upsmon.shutdown_command}"


CHECKS = (
    Check(
        "upsmon-command",
        Severity.ERROR,
        "upsmon has a SHUTDOWNCMD, where it watches a UPS",
        "Nothing takes guests to safety before the battery is empty.",
        "`SHUTDOWNCMD` in upsmon.conf(5), as the how-to for a UPS has it.",
        _command,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "upsmon-forced",
        Severity.ERROR,
        "upsmon's SHUTDOWNCMD shuts the host down, and does not end it by force",
        "systemd ends guests at once, and nobody is asked.",
        "Take `-f` or `--force` out of `SHUTDOWNCMD` in upsmon.conf(5).",
        _forced,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "upsmon-secondary",
        Severity.WARNING,
        "where this host is a secondary of a UPS, upsmon stays connected until guests are safe",
        "The primary takes this host for down, and may have the UPS cut the power meanwhile.",
        "From NUT 2.8.5 on: `SHUTDOWNEXIT no`. Before: the example `nut-stay.service`. With either,"
        " on the primary a `HOSTSYNC` of at least the deadline.",
        _secondary,
    ),
    Check(
        "ups-time",
        Severity.NOTE,
        "what upsmon does on a low battery goes by how long that lasts",
        "A save that the battery does not last for is begun all the same.",
        "`--within upsc:NAME@HOST`, or in `[profile.poweroff]` a `deadline` that it lasts for.",
        _time,
    ),
)
