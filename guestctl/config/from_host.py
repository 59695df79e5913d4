"""What this host goes by until now: libvirt-guests and libvirt itself, as settings of ours.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.given import Givens
from ..model.units import parse_duration
from . import from_libvirt_guests, from_qemu_conf
from .importing import Imported, Wanted

_DELAY, _BYPASS = ("boot", "start-delay"), ("boot", "bypass-cache")


@dataclass(frozen=True)
class OfHost:
    """What is set, of programs that take guests down on this host, or are to be taken for such.

    libvirt_guests: of its file; None where it is off.  script: what it does where that says
    nothing; None where there is no script.  qemu_conf: None where there is no such file.
    """

    libvirt_guests: Givens | None = None
    script: Givens | None = None
    qemu_conf: Givens | None = None


def imported(host: OfHost) -> Imported:
    """All of it.

    Of two that are both on, libvirt-guests counts.  The auto-shutdown begins a moment earlier and
    has no more time than logind's delay; whoever is up then is libvirt-guests'.
    """
    conf = host.qemu_conf or {}
    ours, has_both = Imported(), False
    if host.libvirt_guests is not None:
        ours = from_libvirt_guests.imported(host.libvirt_guests, host.script)
        has_both = from_qemu_conf.is_on(conf)
    elif from_qemu_conf.is_on(conf):
        ours = from_qemu_conf.at_shutdown(conf)
    if has_both:
        ours += Imported(remarks=(_BOTH,))
    return ours if host.qemu_conf is None else _with_autostart(ours, host.qemu_conf)


_BOTH = (
    "libvirt-guests and libvirt's auto-shutdown (auto_shutdown_* in qemu.conf) are both on, which"
    " libvirt's documentation forbids: libvirt-guests' settings are taken, the others are left out"
)


def _with_autostart(ours: Imported, conf: Givens) -> Imported:
    """With what libvirt does as it starts guests by their flags.

    Where libvirt-guests starts guests as well, its word is for all, but the longer delay counts.
    """
    boot, remarks = from_qemu_conf.at_boot(conf), []
    for setting in (_DELAY, _BYPASS):
        here, there = ours.find(*setting), boot.find(*setting)
        if not (here and there):
            continue
        winner, loser = (there, here) if _is_longer(there, here) else (here, there)
        if winner.value != loser.value:
            remarks.append(_of_loser(winner, loser))
        ours, boot = (it.without([setting]) if loser in it.settings else it for it in (ours, boot))
    return ours + boot + Imported(remarks=tuple(remarks))


def _is_longer(one: Wanted, other: Wanted) -> bool:
    if (one.section, one.key) != _DELAY:
        return False
    return parse_duration(one.value) > parse_duration(other.value)


def _of_loser(winner: Wanted, loser: Wanted) -> str:
    return (
        f"{loser.origins[0]} is left out: guestctl starts all guests in one way,"
        f" and {winner.origins[0]} is taken"
    )
