"""guestctl's own units switched on, and off; and waiting until the service watches the host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ...host import machine, status_file, unit_files
from ...model.host_units import CLAIMER, FALLBACK, GUARD, PROBE, PROBE_SOCKET, SERVICE
from .step import Before, Say, Step, StepFailed

#: All that may be active; stopping them touches no guest while the host stays up.
_UNITS = (SERVICE, FALLBACK, GUARD, CLAIMER, PROBE_SOCKET, PROBE)
#: Enabling the service enables both.
_ENABLED = (SERVICE, CLAIMER)
#: Seconds until the service watches all connections, and between two looks at that.
WATCHING_LIMIT, _PAUSE = 60.0, 0.25
_FAILED = f"see `journalctl --unit={SERVICE} --boot`"


def step() -> Step:
    """Switching them on."""
    return Step(
        "service",
        f"enable and start {SERVICE}, and wait until it watches all guests",
        f"stop and disable {SERVICE}, which touches no guest",
        look=_before,
        is_done=lambda: _is_on() and not why_not_watching(),
        do=_do,
        undo=_undo,
        hand_back=_hand_back,
        is_back=lambda _before: _is_off(),
    )


def watching_step() -> Step:
    """The service watches all connections still, after all that was done."""
    return Step(
        "watching",
        f"see that {SERVICE} watches all guests",
        "",
        look=dict,
        is_done=lambda: not why_not_watching(),
        do=lambda _say: wait_watching(),
        undo=lambda _before, _say: None,
        is_back=lambda _before: True,
    )


def _before() -> Before:
    units = {name: _word(name, "UnitFileState") for name in _ENABLED}
    return {"enabled": units, "active": _is_active(SERVICE)}


def _word(unit: str, name: str) -> str:
    return unit_files.show(unit, name)[name]


def _is_active(unit: str) -> bool:
    return _word(unit, "ActiveState") not in ("inactive", "failed")


def _is_on() -> bool:
    enabled = all(_word(unit, "UnitFileState") == "enabled" for unit in _ENABLED)
    return enabled and _word(SERVICE, "ActiveState") == "active"


def _is_off() -> bool:
    enabled = any(_word(unit, "UnitFileState").startswith("enabled") for unit in _ENABLED)
    return not enabled and not any(map(_is_active, _UNITS))


def _do(_say: Say) -> None:
    for unit in (*_ENABLED, GUARD):
        if (load := _word(unit, "LoadState")) != "loaded":
            hint = f"systemctl unmask {unit}" if load == "masked" else "install guestctl's package"
            raise StepFailed(f"cannot start {unit}: systemd says that it is {load}; {hint}")
    unit_files.enable(SERVICE)
    unit_files.forget_starts(SERVICE)
    unit_files.start(SERVICE)
    wait_watching()


def wait_watching() -> None:
    """Until the service watches all connections; StepFailed."""
    end = time.monotonic() + WATCHING_LIMIT
    while why := why_not_watching():
        if time.monotonic() >= end:
            text = f"the service does not watch all guests after {WATCHING_LIMIT:g} s: {why}"
            raise StepFailed(f"cannot take over: {text}; {_FAILED}")
        time.sleep(_PAUSE)  # the service says so in a file, and nothing tells when it does


def why_not_watching() -> str:
    """Empty where the service that runs watches all connections, and hears logind."""
    said = status_file.read(machine.SYSTEM_RUN)
    if not said or str(said.get("pid")) != _word(SERVICE, "MainPID"):
        return "it does not run, or has said nothing yet"
    return next(_not_well(said), "")


def _not_well(said: dict[str, Any]) -> Iterator[str]:
    connections = said.get("connections") or {}
    if not connections:
        yield "it has no connection yet"
    for uri, state in connections.items():
        if state != "connected":
            yield f"{uri}: {state}"
    logind = said.get("logind") or {}
    if not logind.get("connected"):
        yield f"announcements of logind are not heard: {logind.get('problem') or 'not yet'}"


# Back


def _undo(before: Before | None, say: Say) -> None:
    """As it was: a later step has failed."""
    if before is None:
        _hand_back(None, say)
        return
    if not before["active"]:
        unit_files.stop(*_there())
    for unit, was in before["enabled"].items():
        if not was.startswith("enabled"):
            unit_files.disable(unit)


def _hand_back(_before: Before | None, _say: Say) -> None:
    """Off, whatever was before."""
    unit_files.stop(*_there())
    unit_files.disable(SERVICE)


def _there() -> list[str]:
    return [unit for unit in _UNITS if _word(unit, "LoadState") != "not-found"]
