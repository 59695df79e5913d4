"""What systemd and logind say, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .host_state import NotKnown

SERVICE, GUARD, RIVAL = "guestctl.service", "guestctl-guard.service", "libvirt-guests.service"
CLAIMER, FALLBACK = "guestctl-autostart.service", "guestctl-fallback.service"
PROBE, PROBE_SOCKET = "guestctl-probe.service", "guestctl-probe.socket"
#: All units that guestctl brings.
OURS = (SERVICE, GUARD, CLAIMER, FALLBACK, PROBE, PROBE_SOCKET)
#: Guests' scopes are ordered before it.
SHUTDOWN_TARGET = "virt-guest-shutdown.target"
#: Ways down that have a limit of their own; the last from systemd 254 on.
WAYS_DOWN = (
    "poweroff.target",
    "reboot.target",
    "halt.target",
    "kexec.target",
    "soft-reboot.target",
)


class StopLimit(NamedTuple):
    """After how many seconds systemd forces the host down, by which unit; inf for never.

    gone: how many of them have gone by, as far as systemd tells.
    """

    unit: str
    seconds: float
    gone: float = 0.0


@dataclass(frozen=True)
class Unit:
    """systemd's words: `active`, `failed` …; `enabled`, `disabled` …; "" where it has none.

    stops: whether its stop runs anything, as far as that was asked: a takeover takes that away from
    libvirt-guests.
    """

    active: str
    enabled: str
    stops: bool = True

    @property
    def is_off(self) -> bool:
        """Whether the next boot does without it, because somebody said so."""
        return self.enabled in ("disabled", "masked", "masked-runtime")


@dataclass(frozen=True)
class HostWords:
    """delay: seconds that logind waits for inhibitors.  units: by name; empty without an answer."""

    delay: float | None = None
    units: Mapping[str, Unit] = field(default_factory=dict)

    def enabled(self, unit: str) -> str | None:
        """Whether a unit is for the next boot; None where nobody said."""
        return (self.units[unit].enabled or None) if unit in self.units else None

    def active(self, unit: str) -> str:
        """The state of a unit, or "unknown"."""
        return self.units[unit].active if unit in self.units else "unknown"


@dataclass(frozen=True)
class DropIn:
    """A file beside a unit's own.  settings: "Key=value", as they stand there.

    trouble: why it could not be read.  replaces: a package's file of the same name, which it goes
    over; "" for none.
    """

    path: str
    settings: tuple[str, ...] = ()
    trouble: str = ""
    replaces: str = ""


@dataclass(frozen=True)
class UnitInFull:
    """A unit as systemd has loaded it.

    load, active, enabled: systemd's words.  fragment: its own file.  replaces: see DropIn.
    outdated: whether files were changed since.  job_limit: seconds after which a job of it that was
    queued is given up; None for never.
    """

    name: str
    load: str
    active: str
    enabled: str
    fragment: str = ""
    replaces: str = ""
    drop_ins: tuple[DropIn, ...] = ()
    outdated: bool = False
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    job_limit: float | None = None

    @property
    def states(self) -> str:
        """As `systemctl show` has them."""
        states = (f"LoadState={self.load}", f"ActiveState={self.active}")
        return f"{self.name}: {' '.join(states)} UnitFileState={self.enabled or 'none'}"


@dataclass(frozen=True)
class Setting:
    """A value, and the file that it stands in."""

    file: str
    value: str


@dataclass(frozen=True)
class Autostart:
    """Who starts guests with libvirt's autostart flag.

    claimed: connections whose autostart was left to us in this boot.  unmarked: those of them whose
    marker is gone, so that a daemon that is started anew starts guests.
    """

    claimed: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostUnits:
    """words: what `status` shows as well.  units: by name.

    delay_set: where logind's InhibitDelayMaxSec= is set; None for its default.
    unhooked: libvirt's daemons that run since before there was guestctl's hook.
    cut_off: the record of a takeover, or a handback, that was not carried through; "" for none.
    list_left: the list of guests that libvirt-guests' next start brings up; "" for none.
    """

    words: HostWords
    units: Mapping[str, UnitInFull] = field(default_factory=dict)
    delay_set: Setting | NotKnown | None = None
    autostart: Autostart = Autostart()
    unhooked: tuple[str, ...] = ()
    cut_off: str = ""
    list_left: str = ""
