"""Checks of what the next boot needs of the host: networks, pools, emulators, disks.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

from ..model.finding import Finding, Severity
from ..model.guest import GuestFacts, GuestId
from ..model.host_needs import Emulator, GuestNeeds, Supplied, Supplies, Supply
from ..model.host_state import known
from ..model.text import argument
from .check import AtTakeover, Check
from .coming import coming, names, shortened
from .host_state import HostState

#: Guests by the connection, and by the name of what they need there.
_Needed = dict[tuple[str, str], list[GuestFacts]]


def _networks(state: HostState) -> Iterator[Finding]:
    needed = _needed(state, lambda needs: needs.networks)
    yield from _absent(state, needed, lambda of: of.networks, "network", "net-autostart")


def _pools(state: HostState) -> Iterator[Finding]:
    needed = _needed(state, lambda needs: needs.pools)
    yield from _absent(state, needed, lambda of: of.pools, "storage pool", "pool-autostart")


def _needed(state: HostState, what: Callable[[GuestNeeds], Iterable[str]]) -> _Needed:
    """Whose next boot needs each network, or pool."""
    found: _Needed = {}
    for guest, needs in _coming_with_needs(state):
        for name in what(needs):
            found.setdefault((guest.id.uri, name), []).append(guest)
    return found


def _coming_with_needs(state: HostState) -> Iterator[tuple[GuestFacts, GuestNeeds]]:
    needs = known(state.needs).guests
    for guest in coming(state):
        if guest.id in needs:
            yield guest, needs[guest.id]


def _absent(
    state: HostState,
    needed: _Needed,
    of: Callable[[Supplies], Supplied],
    kind: str,
    verb: str,
) -> Iterator[Finding]:
    supplies = known(state.needs).supplies
    for (uri, name), guests in sorted(needed.items()):
        if uri in supplies:
            there = {supply.name: supply for supply in known(of(supplies[uri]))}
            yield from _of_supply(kind, verb, (uri, name), there.get(name), guests)


def _of_supply(
    kind: str,
    verb: str,
    place: tuple[str, str],
    found: Supply | None,
    guests: list[GuestFacts],
) -> Iterator[Finding]:
    uri, name = place
    virsh, who = f"virsh -c {shlex.quote(uri)}", names(guests)
    evidence = (f"needed by the next boot of: {who}",)
    if found is None:
        text = f"the {kind} {name} is not there, and guests that come back need it: {who}"
        yield Finding(text, f"{virsh} {verb.partition('-')[0]}-list --all", evidence=evidence)
    elif not found.at_boot:
        now = "active now" if found.is_active else "not active now either"
        text = f"the {kind} {name} is not started at boot, and guests that come back need it: {who}"
        said = f"autostart of {name} is off, or it has no definition; it is {now}"
        yield Finding(text, f"{virsh} {verb} {argument(name)}", evidence=(said, *evidence))


def _emulators(state: HostState) -> Iterator[Finding]:
    needs = known(state.needs)
    for guest, of_guest in _coming_with_needs(state):
        supplies = needs.supplies.get(guest.id.uri)
        emulators = known(supplies.emulators) if supplies else ()
        if lack := _lack(of_guest, needs.absent, emulators):
            yield _cannot_run(guest, *lack)


def _lack(
    needs: GuestNeeds, absent: Iterable[str], emulators: Iterable[Emulator]
) -> tuple[str, str] | None:
    """What this host cannot do for the guest, and what was seen; None where it can all."""
    if needs.emulator in absent:
        return f"its emulator {needs.emulator} is not there", "no program of that name"
    same = [each for each in emulators if each.arch == needs.arch and each.machines]
    own = [each for each in same if each.path == needs.emulator] or same
    if own and needs.machine and not any(needs.machine in each.machines for each in own):
        paths = ", ".join(each.path for each in own)
        return f"there is no machine type {needs.machine} any more", f"machine types of {paths}"
    if own and needs.accelerator == "kvm" and not any("kvm" in it.accelerators for it in own):
        return "this host cannot run it with KVM", "libvirt's capabilities name no domain type kvm"
    return None


def _cannot_run(guest: GuestFacts, text: str, seen: str) -> Finding:
    command = f"virsh -c {shlex.quote(guest.id.uri)} edit {argument(guest.name)}"
    return Finding(f"cannot be started: {text}", command, guest.name, guest.id, evidence=(seen,))


def _devices(state: HostState) -> Iterator[Finding]:
    there = known(state.running).devices
    for guest, needs in _coming_with_needs(state) if there is not None else ():
        if absent := [device for device in needs.devices if device not in (there or ())]:
            text = f"cannot be started: the host has no network device {shortened(absent)}"
            command = f"virsh -c {shlex.quote(guest.id.uri)} domiflist --inactive"
            seen = ("by /sys/class/net, now",)
            yield Finding(
                text, f"{command} {argument(guest.name)}", guest.name, guest.id, evidence=seen
            )


def _disks(state: HostState) -> Iterator[Finding]:
    made_anew = {guest.id: set(needs.made_anew) for guest, needs in _coming_with_needs(state)}
    for guest, paths in _missing(coming(state), known(state.guests).missing, made_anew):
        text = f"cannot be started: what it needs is not there: {shortened(paths)}"
        command = f"virsh -c {shlex.quote(guest.id.uri)} domblklist {argument(guest.name)}"
        yield Finding(text, command, guest.name, guest.id, evidence=("no such file",))


def _missing(
    guests: Iterable[GuestFacts],
    missing: Mapping[GuestId, tuple[str, ...]],
    made_anew: Mapping[GuestId, set[str]],
) -> Iterator[tuple[GuestFacts, list[str]]]:
    for guest in guests:
        lacking = missing.get(guest.id, ())
        if paths := [path for path in lacking if path not in made_anew.get(guest.id, ())]:
            yield guest, paths


_WAITS = (
    "The guests wait for it after the boot, and are given up in the end, unless somebody starts it."
)
CHECKS = (
    Check(
        "network-at-boot",
        Severity.ERROR,
        "networks of guests that come back are started at boot",
        _WAITS,
        "Have libvirt start it at boot; or define it, or take it out of the guests.",
        _networks,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "pool-at-boot",
        Severity.ERROR,
        "storage pools of guests that come back are started at boot",
        _WAITS,
        "Have libvirt start it at boot; or define it, or name the guests' files instead.",
        _pools,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "cannot-run",
        Severity.ERROR,
        "this host has the emulator and machine type of guests that come back",
        "The guest cannot be started any more, and a save of it cannot be resumed.",
        "Install what is missing, or change the guest's definition; a save of it is lost then.",
        _emulators,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "bridge-missing",
        Severity.ERROR,
        "bridges and other network devices of guests that come back are there",
        _WAITS,
        "Have the host make it at each boot, or name another one in the guest's definition.",
        _devices,
        cheap=False,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        "disk-missing",
        Severity.ERROR,
        "disks and firmware of guests that come back are there",
        "The guest cannot be started without them, also where it runs now: it still has them open.",
        "Put the file back or mount it; take a medium that is gone out of the guest's definition.",
        _disks,
        cheap=False,
        at_takeover=AtTakeover.AS_BEFORE,
    ),
)
