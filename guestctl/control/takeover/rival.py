"""libvirt-guests.service put out of action, and back, without its ExecStop: that would save or shut
down every guest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...host import unit_files
from ...host.libvirt import auto_shutdown
from ...host.libvirt_guests import LIST
from ...model.host_units import RIVAL
from ..failure import Failure, RequestError
from .step import Before, Say, Step, StepFailed

#: Of this name since the how-to of 0.2, whose users wrote it by hand.
DROP_IN = unit_files.drop_in(RIVAL, "guestctl")
_TEXT = """\
# guestctl takes the guests of this host to safety: stopping this unit must touch none of them.
# `guestctl handback` removes this file.
[Service]
ExecStop=
ExecStopPost=
"""
_STOPS = ("ExecStop", "ExecStopPost")
_ON = {"enabled": False, "enabled-runtime": True}  # whether for this boot alone
_BUSY = ("activating", "deactivating", "reloading")


@dataclass(frozen=True)
class Rival:
    """systemd's words.  stops: whether its stop does anything.  drop_ins: that are in force.

    runs: whether its start's script does still.
    """

    load: str
    active: str
    enabled: str
    stops: bool
    drop_ins: tuple[str, ...]
    runs: bool = False

    @property
    def is_there(self) -> bool:
        """Whether it could be started."""
        return self.load not in ("not-found", "masked")

    @property
    def is_up(self) -> bool:
        """Whether a stop would run its ExecStop=."""
        return self.active not in ("inactive", "failed")

    @property
    def is_busy(self) -> bool:
        """Whether it is just started or stopped.  libvirt 12.8's is up as soon as its script runs
        (Type=exec), which removes the list of guests once it has brought them back."""
        return self.active in _BUSY or (self.is_up and self.runs and LIST.exists())

    @property
    def is_off(self) -> bool:
        """Whether neither this boot nor the next one has it act on guests."""
        harmless = not self.is_there or (DROP_IN.exists() and not self.stops)
        return not self.is_up and self.enabled not in _ON and harmless


def look() -> Rival:
    """As it is now.  Raises SystemctlFailed."""
    said = unit_files.show(
        RIVAL, "LoadState", "ActiveState", "SubState", "UnitFileState", "DropInPaths", *_STOPS
    )
    return Rival(
        said["LoadState"],
        said["ActiveState"],
        said["UnitFileState"],
        any(said[name] for name in _STOPS),
        tuple(said["DropInPaths"].split()),
        said["SubState"] == "running",
    )


def refuse_if_busy(verb: str) -> None:
    """RequestError while it starts or stops guests: they must not be left halfway."""
    found = look()
    if found.is_busy:
        stops = found.active == "deactivating"
        doing = "stopped, and takes guests down" if stops else "started"
        text = f"cannot {verb}: {RIVAL} is just being {doing}"
        hint = f"wait until it is through (`systemctl status {RIVAL}`), and ask again"
        raise RequestError(Failure.NOT_ALL_WELL, f"{text}; {hint}")


def step() -> Step:
    """The step."""
    return Step(
        "libvirt-guests",
        f"switch {RIVAL} off, its stop command taken away first",
        f"bring {RIVAL} back",
        look=_before,
        is_done=lambda: look().is_off,
        do=_do,
        undo=_undo,
        is_back=_is_back,
    )


def _before() -> Before:
    found = look()
    drop_in = DROP_IN.read_text() if DROP_IN.exists() else None
    return {"enabled": found.enabled, "active": found.is_up, "drop_in": drop_in}


def _do(_say: Say) -> None:
    refuse_if_busy("take over")
    if look().is_there:
        unit_files.write_drop_in(DROP_IN, _TEXT)
    unit_files.reload()
    _refuse_to_run_its_stop()
    found = look()
    if found.enabled in _ON:
        unit_files.disable(RIVAL)
        if look().enabled in _ON:
            unit_files.disable(RIVAL, runtime=True)
    if found.is_up:
        unit_files.stop(RIVAL)


def _refuse_to_run_its_stop() -> None:
    """StepFailed where its stop would touch guests all the same, as by a drop-in that is read
    later than ours."""
    found = look()
    if not found.stops:
        return
    culprits = ", ".join(_that_set_it(found)) or "a file of its own"
    text = f"cannot take away the stop command of {RIVAL}: {culprits} sets it again"
    raise StepFailed(f"{text}; take ExecStop= and ExecStopPost= out there, and ask again")


def _that_set_it(found: Rival) -> Iterator[str]:
    for name in found.drop_ins:
        file = Path(name)
        lines = file.read_text(errors="replace").splitlines() if file != DROP_IN else []
        if any(
            line.partition("=")[0].strip() in _STOPS and line.strip()[-1] != "=" for line in lines
        ):
            yield name


def _usual() -> Before:
    """Where nobody took over: as Debian's package has it; but where libvirt's own auto-shutdown is
    in charge, a second one beside it is not wanted."""
    is_wanted = not auto_shutdown.switched_on()
    enabled = "enabled" if is_wanted else "disabled"
    return {"enabled": enabled, "active": is_wanted, "drop_in": None}


def _is_back(before: Before | None) -> bool:
    """Whether it is as it was; one that is not there cannot be brought back."""
    was, found = before or _usual(), look()
    if not found.is_there:
        return not DROP_IN.exists()
    same = was["enabled"] not in _ON or found.enabled == was["enabled"]
    return same and found.is_up >= was["active"] and DROP_IN.exists() == bool(was["drop_in"])


def _undo(before: Before | None, say: Say) -> None:
    was = before or _usual()
    _undo_drop_in(was["drop_in"])
    unit_files.reload()
    found = look()
    if not found.is_there:
        say(f"{RIVAL} is {found.load}: it cannot be switched on")
        return
    if was["enabled"] in _ON and found.enabled not in _ON:
        unit_files.enable(RIVAL, runtime=_ON[was["enabled"]])
    if was["active"] and not found.is_up:
        unit_files.start(RIVAL)


def _undo_drop_in(text: str | None) -> None:
    if text is None:
        unit_files.remove_drop_in(DROP_IN)
    else:
        unit_files.write_drop_in(DROP_IN, text)
