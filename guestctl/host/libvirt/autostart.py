"""Owning libvirt's autostart: its markers that it was done for this boot, made in its place.

libvirtd starts the guests that carry its autostart flag once for each boot, and remembers that
by a file `autostarted` in the run directory of the driver (libvirt 9.0 to 12.8,
src/hypervisor/domain_driver.c).  With the file there beforehand it starts nobody, and guestctl
starts them, with its checks.  The flags stay as they are.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from .. import own_files

LIBVIRT_RUN = Path("/run/libvirt")
#: Whose autostart was left to us in this boot; gone with the boot, as libvirt's own markers.
CLAIM = Path("/run/guestctl/autostart.json")
#: Enabled together with the service: see its [Install].
UNIT = "guestctl-autostart.service"
UNITS = Path("/etc/systemd/system")

#: The driver of a URI, and the name of its run directory.
_DRIVERS = {
    "qemu": "qemu",
    "lxc": "lxc",
    "xen": "libxl",
    "ch": "ch",
    "bhyve": "bhyve",
}


def claim(uris: Iterable[str]) -> tuple[str, ...]:
    """Make the markers of these connections; those whose autostart is ours in this boot.

    Where a marker is there already that is not from an earlier claim, libvirt was quicker.
    Raises OSError.
    """
    markers = {uri: marker for uri in uris if (marker := _marker(uri)) is not None}
    ours = {uri for uri, marker in markers.items() if not _is_there(marker)} | set(claimed())
    # The claim first: killed in between, guests are started by both, which does no harm.
    CLAIM.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Whole: half a claim, beside whole markers, would leave guests to nobody.
    own_files.replace(CLAIM, json.dumps(sorted(ours)), 0o644)
    for uri in ours & markers.keys():
        markers[uri].parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        own_files.replace(markers[uri], "", 0o644)
    return tuple(sorted(ours))


def _is_there(marker: Path) -> bool:
    """A link is not libvirt's: its run directory belongs to the user that QEMU runs as."""
    return marker.exists() and not marker.is_symlink()


def _marker(uri: str) -> Path | None:
    """None for a daemon of a user, which this is not about."""
    driver, _, rest = uri.partition(":")
    if rest not in ("///system", "///") or driver not in _DRIVERS:
        return None
    return LIBVIRT_RUN / _DRIVERS[driver] / "autostarted"


def claimed() -> tuple[str, ...]:
    """Connections whose autostart was left to us in this boot."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(CLAIM.read_text())
        if isinstance(found, list):
            return tuple(str(uri) for uri in found)
    return ()


def unmarked() -> tuple[str, ...]:
    """Those of them whose marker is gone: a daemon that is started anew starts guests itself."""
    markers = {uri: _marker(uri) for uri in claimed()}
    return tuple(uri for uri, marker in markers.items() if marker and not _is_there(marker))


def is_ours_at_next_boot() -> bool:
    """Whether the unit that claims is enabled."""
    return any(UNITS.glob(f"*.wants/{UNIT}")) or any(UNITS.glob(f"*.requires/{UNIT}"))
