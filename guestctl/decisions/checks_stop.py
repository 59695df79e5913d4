"""Checks of how the host's stop and its boot are timed and ordered by others.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..config.config import Config
from ..config.settings import LONGEST_STOP
from ..model.finding import Finding, Severity
from ..model.host_state import NotKnown, NotSeen, known
from ..model.host_units import CLAIMER, WAYS_DOWN, HostUnits
from ..model.options import PROFILES_OF_HOST
from ..model.units import BadValue, parse_duration, show_duration, show_seconds
from ..model.uris import is_system
from . import health
from .budget import before_force
from .check import Check
from .duration import duration_of
from .host_facts import HostFacts, timeline_of
from .host_state import HostState
from .profiles import under

#: The profiles that a stop of the host goes by; None for the usual settings.
_PROFILES = (None, *PROFILES_OF_HOST)


def _deadlines(config: Config) -> list[float]:
    return [under(config, profile).shutdown.deadline for profile in _PROFILES]


class _Limit(NamedTuple):
    """Less time than a deadline says: is_too_short: also than guests take, as far as is known."""

    unit: str
    text: str
    takes: float
    is_too_short: bool
    evidence: tuple[str, ...]


def _limits(state: HostState) -> Iterator[_Limit]:
    units, facts = known(state.units).units, known(state.facts)
    needs = min(max(_deadlines(facts.config)), LONGEST_STOP)
    for name in WAYS_DOWN:
        limit = units[name].job_limit if name in units else None
        if limit is None or (has := before_force(limit)) >= needs:
            continue
        takes = duration_of(timeline_of(facts)).about or 0.0
        ends = show_duration(limit)
        text = f"{name} is forced after {ends}: guests have {show_duration(has)}"
        files = (units[name].fragment, *(it.path for it in units[name].drop_ins))
        evidence = (f"{name}: JobTimeoutSec={ends}", *filter(None, files))
        yield _Limit(name, text, takes, takes > has or not has, evidence)


_LONGER = "systemctl cat {}"


def _job_limit(state: HostState) -> Iterator[Finding]:
    for it in _limits(state):
        if it.is_too_short:
            takes = f", and take about {show_seconds(it.takes)}" if it.takes else ""
            text = f"{it.text}{takes}"
            yield Finding(text, _LONGER.format(it.unit), evidence=it.evidence)


def _deadline(state: HostState) -> Iterator[Finding]:
    for it in _limits(state):
        if not it.is_too_short:
            text = f"{it.text}, less than [shutdown] deadline"
            yield Finding(text, _LONGER.format(it.unit), evidence=it.evidence)
    longest = max(_deadlines(known(state.facts).config))
    if longest > LONGEST_STOP:
        has, most = show_duration(longest), show_duration(LONGEST_STOP)
        text = f"a deadline of {has} is for commands: a stop of the host has {most} at most"
        yield Finding(text, "guestctl check --show")


def _delay(state: HostState) -> Iterator[Finding]:
    units, facts = known(state.units), known(state.facts)
    delay = _delay_of(units)
    takes = duration_of(timeline_of(facts)).about or 0.0
    if units.delay_set is None and takes <= delay:
        return  # as logind has it, and long enough
    text = f"logind waits {delay:g} s for guests before the host's services are stopped"
    if takes:
        text += f"; they take about {show_seconds(takes)}"
    if takes > delay:
        text += ", and what they need stays until then"
    yield Finding(text, evidence=(_where(units),))


def _delay_of(units: HostUnits) -> float:
    if units.words.delay is None:
        raise NotSeen(NotKnown("logind's InhibitDelayMaxUSec", "logind does not answer"))
    return units.words.delay


def _where(units: HostUnits) -> str:
    seen = known(units.delay_set)
    effective = f"InhibitDelayMaxUSec={_delay_of(units) * 1e6:.0f}"
    if seen is None:
        return f"{effective}: logind's default, no file sets it"
    return f"{effective}: InhibitDelayMaxSec={seen.value} in {seen.file}"


#: logind's own (systemd-logind.conf(5)).
_DEFAULT_DELAY = 5.0


def _delay_unread(state: HostState) -> Iterator[Finding]:
    units = known(state.units)
    seen, delay = known(units.delay_set), _delay_of(units)
    try:
        wanted = parse_duration(seen.value) if seen else _DEFAULT_DELAY
    except BadValue:
        return  # logind says so, and keeps to what was there before
    if abs(wanted - delay) >= 0.001:
        text = f"logind waits {delay:g} s, and not {wanted:g} s as its files say"
        command = "systemctl restart systemd-logind.service"
        yield Finding(text, command, evidence=(_where(units),))


def _marker(state: HostState) -> Iterator[Finding]:
    units, facts, said = known(state.units), known(state.facts), known(state.service)
    for uri in units.autostart.unmarked:
        text = f"{uri}: libvirt's mark that its autostart was done is gone: once its daemon is"
        command = f"systemctl restart {CLAIMER}"
        yield Finding(f"{text} started anew, it starts guests by itself", command)
    for uri in _libvirts(units, facts):
        if said.get("running") and uri not in said.get("as_found", ()):
            text = f"{uri}: libvirt has started its guests by itself in this boot, before guestctl"
            evidence = ("/run/guestctl/autostart.json does not name it",)
            yield Finding(text, f"journalctl --boot --unit={CLAIMER}", evidence=evidence)


def _libvirts(units: HostUnits, facts: HostFacts) -> list[str]:
    if not facts.owns_next_boot:  # another check tells
        return []
    return [uri for uri in facts.uris if is_system(uri) and uri not in units.autostart.claimed]


def _as_found(state: HostState) -> Iterator[Finding]:
    for uri in known(state.service).get("as_found", ()):
        text = f"{uri}: guestctl was switched on after the host had booted without it: guests are"
        yield Finding(f"{text} left as they were found until the next boot")


def _hook(state: HostState) -> Iterator[Finding]:
    yield from health.of_hook(known(state.units).unhooked, health.held_for_save(known(state.facts)))


CHECKS = (
    Check(
        "job-limit",
        Severity.ERROR,
        "`JobTimeoutSec=` of poweroff.target and reboot.target leaves the time that guests take",
        "systemd forces the host down then. guestctl is through before: guests that cannot be saved"
        " by then are shut down or powered off.",
        "Give the target more time in a drop-in: a quarter of it, 15 s to three minutes, is kept"
        " for what comes after guests.",
        _job_limit,
    ),
    Check(
        "deadline-too-long",
        Severity.WARNING,
        "`deadline` is not longer than a stop of the host may take",
        "As the host goes down guests have less time than was asked for: systemd forces it after"
        " 30 minutes, or what a drop-in for the target says, and guestctl is through before.",
        "Lower `deadline`, or give the target more time.",
        _deadline,
    ),
    Check(
        "logind-delay",
        Severity.NOTE,
        "how long logind waits for guests, and which file says so",
        "Within that time the host's stop can still be called off; guests have their whole"
        " deadline in any case.",
        "Nothing has to be done.",
        _delay,
    ),
    Check(
        "logind-outdated",
        Severity.WARNING,
        "logind waits as long as its files say",
        "A file was changed, and logind has not read it since.",
        "Restart logind: sessions and inhibitors stay.",
        _delay_unread,
    ),
    Check(
        "autostart-marker",
        Severity.WARNING,
        "libvirt leaves its autostart to guestctl in this boot",
        "Guests with libvirt's autostart flag are started by libvirt, without guestctl's checks:"
        " whatever save they have is resumed.",
        "Claim it anew; where libvirt was quicker, see in the journal why.",
        _marker,
    ),
    Check(
        "switched-on-late",
        Severity.NOTE,
        "guestctl was there as the host booted",
        "Nobody was started by it in this boot; the next one is its own.",
        "Nothing has to be done.",
        _as_found,
    ),
    Check(
        "hook-not-called",
        Severity.ERROR,
        "libvirt's daemons call guestctl's hook where guests are held for a stale save",
        "Whoever starts such a guest has it resume from a state that its disks are not in any"
        " more.",
        "Restart the daemon, which touches no guest.",
        _hook,
    ),
)
