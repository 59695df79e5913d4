"""How a UPS is watched, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Monitor:
    """A MONITOR line of upsmon.conf(5).  ups: as the line names it.

    is_primary: it is this host's upsmon that has the UPS cut the power, and it waits for others.
    """

    ups: str
    is_primary: bool


@dataclass(frozen=True)
class Upsmon:
    """What upsmon.conf says; a line that is not there is what upsmon then does.

    file: where that is.  shutdown_command: "" for none.  stays: whether it stays connected after
    that, as SHUTDOWNEXIT says.  version: of upsmon itself, as (2, 8, 1); () where it is not known.
    minimum: of supplies that have to last; with 0 it never shuts the host down.  beside: the UPSes
    that a second upsmon of this host stays connected for (nut-stay.service).
    """

    file: str
    monitors: tuple[Monitor, ...] = ()
    shutdown_command: str = ""
    stays: bool = False
    version: tuple[int, ...] = ()
    minimum: int = 1
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class PowerSupply:
    """upsmon: None where no UPS is watched by it."""

    upsmon: Upsmon | None = None
