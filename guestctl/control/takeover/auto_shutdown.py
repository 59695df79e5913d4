"""libvirt's auto-shutdown switched off, and on again: in its file, in the daemons that have read
that, and in the scopes of guests that run."""

from __future__ import annotations

import asyncio

from ...host import scopes, unit_files
from ...host.bus import BusError
from ...host.libvirt import auto_shutdown
from ...host.libvirt.auto_shutdown import CONF
from ...host.libvirt.connections import library_version
from ...model.host_auto_shutdown import AutoShutdown
from ...model.report import names
from ..doctor.auto_shutdown import look
from ..failure import Failure, RequestError
from ..local import Local
from .step import Before, Say, Step, StepFailed


def step(local: Local) -> Step:
    """The step.  After that of the service: whoever is killed between leaves both on.

    local: to ask libvirt.
    """
    return Step(
        "auto-shutdown",
        "switch libvirt's auto-shutdown off",
        "switch libvirt's auto-shutdown on again",
        look=lambda: {"settings": list(auto_shutdown.switched_on())},
        is_done=_is_off,
        do=lambda say: _do(local, say),
        undo=lambda before, say: _undo(local, before, say),
        is_back=lambda _before: not auto_shutdown.is_marked(),
    )


def refuse_in_a_save(local: Local, verb: str) -> None:
    """RequestError while a guest is being saved, or migrated, by whatever program: a restart of
    libvirt's daemon ends that, and leaves the guest up."""
    guests = asyncio.run(local.read()).guests
    if busy := [guest.name for guest in guests if guest.saving or guest.in_transit]:
        text = f"cannot {verb}: {names(busy)}: just being saved, or migrated, by another program"
        why = "libvirt's daemon has to be restarted, which ends that"
        hint = "wait until it is through (`virsh domjobinfo`), and ask again"
        raise RequestError(Failure.LOCKED, f"{text}; {why}; {hint}")


def _is_off() -> bool:
    found = _look()
    return not (found.settings or found.behind or found.outliving)


def _do(local: Local, say: Say) -> None:
    refuse_in_a_save(local, "switch it off")
    for setting in auto_shutdown.switched_on():
        say(f"  {setting} in {CONF} is made a comment")
    if auto_shutdown.switched_on():
        auto_shutdown.switch_off()
    _restart(say)
    _put_in_order(say, outlive_daemon=False)


def _undo(local: Local, _before: Before | None, say: Say) -> None:
    """By the marks alone: without any there was nothing to switch off."""
    refuse_in_a_save(local, "switch it on again")
    if auto_shutdown.is_marked():
        auto_shutdown.switch_on()
        for setting in auto_shutdown.switched_on():
            say(f"  {setting} in {CONF} holds again")
    _restart(say)
    if auto_shutdown.switched_on() and auto_shutdown.orders_scopes(library_version()):
        _put_in_order(say, outlive_daemon=True)


def _restart(say: Say) -> None:
    for unit in _look().behind:
        say(f"  {unit} is restarted, which touches no guest: it goes by what it read as it began")
        unit_files.try_restart(unit)


def _put_in_order(say: Say, *, outlive_daemon: bool) -> None:
    """Those of guests that were started while it was otherwise."""
    found = [scope for scope in _look().scopes if scope.outlives_daemon is not outlive_daemon]
    if not found:
        return
    when = "after" if outlive_daemon else "before"
    guests = [scope.guest for scope in found]
    say(f"  {names(guests)}: their scopes are to be stopped {when} libvirt's daemon from now on")
    try:
        scopes.put_in_order([scope.unit for scope in found], outlive_daemon=outlive_daemon)
    except OSError as error:
        hint = "restart these guests, or save and start each: `virsh managedsave`, `virsh start`"
        text = f"cannot change the order of scopes of guests: {error}"
        raise StepFailed(f"{text}; {hint}") from error


def _look() -> AutoShutdown:
    try:
        return asyncio.run(look())
    except BusError as error:
        raise StepFailed(f"cannot ask systemd: {error}") from error
