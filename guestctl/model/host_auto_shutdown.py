"""libvirt's own auto-shutdown, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: libvirt's configuration of QEMU guests; the settings of auto-shutdown stand there.
QEMU_CONF = "/etc/libvirt/qemu.conf"


class GuestScope(NamedTuple):
    """What systemd keeps a guest's processes in.

    unit: its name.  guest: the guest's, as far as machined takes it.  outlives_daemon: whether it
    is stopped after libvirt's daemon; else before that, and after virt-guest-shutdown.target.
    """

    unit: str
    guest: str
    outlives_daemon: bool


@dataclass(frozen=True)
class AutoShutdown:
    """settings: that switch it on, as they stand in qemu.conf.

    behind: daemons that began before that file was written.  scopes: of guests that run.
    """

    settings: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    scopes: tuple[GuestScope, ...] = ()

    @property
    def outliving(self) -> tuple[GuestScope, ...]:
        """Scopes that are ordered as with it on."""
        return tuple(scope for scope in self.scopes if scope.outlives_daemon)
