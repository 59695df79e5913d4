"""Checks of files for the bus, polkit and libvirt, and of the clock.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.host_details import HostDetails, Shipped
from ..model.host_state import known
from . import health
from .check import Check
from .host_state import HostState

#: Seconds from switching on until a clock should have been set right.
TO_SYNCHRONISE = 600.0


def _bus_policy(state: HostState) -> Iterator[Finding]:
    details = known(state.details)
    yield from _of_shipped(details, details.bus_policy)


def _actions(state: HostState) -> Iterator[Finding]:
    details = known(state.details)
    yield from _of_shipped(details, details.actions)


def _of_shipped(details: HostDetails, file: Shipped | None, option: str = "") -> Iterator[Finding]:
    if file and not file.is_there:
        command = f"apt-get install --reinstall {option}guestctl" if details.from_package else ""
        looked = f"looked for: {', '.join(file.places)}"
        yield Finding(f"{file.what} is not there", command, evidence=(looked,))


def _off_bus(state: HostState) -> Iterator[Finding]:
    yield from health.of_bus(known(state.service))


def _hook(state: HostState) -> Iterator[Finding]:
    details, boot = known(state.details), known(state.facts).config.boot
    hook = details.hook
    if hook and boot.refuse_starts:
        keep = "-o Dpkg::Options::=--force-confmiss "
        yield from _of_shipped(details, hook, keep)
        if hook.is_there and not hook.is_program:
            (place,) = hook.places
            text = f"{hook.what} cannot be run: {place} is no program"
            yield Finding(text, f"chmod 755 {shlex.quote(place)}", evidence=("by its mode",))


def _hook_unread(state: HostState) -> Iterator[Finding]:
    """Where it matters now, that is an error of its own."""
    facts = known(state.facts)
    if facts.config.boot.refuse_starts and not health.held_for_save(facts):
        for unit in known(state.units).unhooked:
            text = f"{unit} runs since before there was guestctl's hook, and does not call it"
            yield Finding(text, f"systemctl restart {unit}")


def _clock(state: HostState) -> Iterator[Finding]:
    clock = known(state.running).clock
    if clock.is_synchronised is False and clock.up > TO_SYNCHRONISE:
        text = (
            "the host's clock is not synchronised, and guests that are resumed are given its time"
        )
        seen = "adjtimex(2): nobody has told the kernel how far it may be off"
        yield Finding(text, "timedatectl set-ntp true", evidence=(seen,))


def _local(state: HostState) -> Iterator[Finding]:
    if known(state.running).clock.is_local:
        text = "the hardware clock has local time: the host's time jumps as it boots"
        yield Finding(text, "timedatectl set-local-rtc 0", evidence=("/etc/adjtime: LOCAL",))


_ANEW = "Install guestctl anew: the package, or `make install`."
CHECKS = (
    Check(
        "bus-policy",
        Severity.WARNING,
        "the bus knows who may be org.guestctl1",
        "The service cannot take its name on the bus: users and programs cannot ask it.",
        _ANEW,
        _bus_policy,
    ),
    Check(
        "off-the-bus",
        Severity.WARNING,
        "the service is on the bus",
        "Users and programs cannot ask it; commands of root do without it.",
        "See what keeps it from taking its name; it tries again by itself.",
        _off_bus,
    ),
    Check(
        "polkit-actions",
        Severity.WARNING,
        "polkit knows guestctl's actions",
        "Nobody but root may do anything by the service, whatever polkit's rules say.",
        _ANEW,
        _actions,
    ),
    Check(
        "hook",
        Severity.WARNING,
        "libvirt's hook of guestctl is there, where `[boot] refuse-starts` is on",
        "`virsh start` resumes a guest from a save that is stale.",
        f"{_ANEW} Or say `refuse-starts = false`.",
        _hook,
    ),
    Check(
        "hook-unread",
        Severity.NOTE,
        "libvirt's daemon has started since guestctl's hook is there",
        "Should a guest be held for a stale save, `virsh start` resumes it all the same.",
        "Restart the daemon, which touches no guest.",
        _hook_unread,
        cheap=False,
    ),
    Check(
        "clock",
        Severity.WARNING,
        "the host's clock is synchronised",
        "Guests that are resumed get a wrong time.",
        "Install and start a client for NTP, such as chrony or systemd-timesyncd.",
        _clock,
        cheap=False,
    ),
    Check(
        "local-time",
        Severity.NOTE,
        "the hardware clock has UTC",
        "Until the time zone is known, the host's time is hours off as it boots.",
        "Have it in UTC.",
        _local,
        cheap=False,
    ),
)
