"""A host whose guests libvirt-guests sees to, as an administrator has it who moves to guestctl."""

from __future__ import annotations

import json
from typing import Any

from tests.host.support import newest_ticks, went_on
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

NAMES = [f"vm {n}" for n in range(1, 13)]
#: Not as Debian has it: guests are saved, several at a time, and come back at boot.
SETTINGS = """\
ON_BOOT=start
ON_SHUTDOWN=suspend
PARALLEL_SHUTDOWN=4
SHUTDOWN_TIMEOUT=20
BYPASS_CACHE=1
"""
RIVAL = "libvirt-guests.service"
RECORD = "var/lib/guestctl/takeover.json"
DROP_IN = f"etc/systemd/system/{RIVAL}.d/guestctl.conf"


def under_libvirt_guests(host: Host, names: list[str]) -> None:
    """The image has it the other way round."""
    host.run("systemctl disable --now guestctl guestctl-guard guestctl-autostart")
    host.run("rm -rf /var/lib/guestctl /var/cache/guestctl")
    (host.root / "etc/default/libvirt-guests").write_text(SETTINGS)
    host.run(f"systemctl enable --now {RIVAL}")
    host.start_all([GuestSpec(name) for name in names])


def state(host: Host) -> dict[str, tuple[str, str]]:
    """Whether units are enabled, and active."""
    units = (RIVAL, "guestctl.service", "guestctl-autostart.service", "guestctl-guard.service")
    return {unit: (_ask(host, "is-enabled", unit), _ask(host, "is-active", unit)) for unit in units}


def _ask(host: Host, question: str, unit: str) -> str:
    return host.run(["systemctl", question, unit], check=False).stdout.strip()


def is_guestctls(host: Host) -> bool:
    """Whether guestctl is in charge, and nobody else."""
    found = state(host)
    ours = [found[unit] for unit in found if unit != RIVAL]
    on = ours[0] == ("enabled", "active") and ours[1][0] == "enabled" and ours[2][1] == "active"
    return on and found[RIVAL] == ("disabled", "inactive") and (host.root / DROP_IN).exists()


def is_libvirt_guests(host: Host) -> bool:
    """Whether libvirt-guests is in charge, as it was, and nothing of a takeover is left."""
    found = state(host)
    off = {found[unit][1] for unit in found if unit != RIVAL} <= {"inactive"}
    left = [path for path in (RECORD, DROP_IN) if (host.root / path).exists()]
    disabled = {found[unit][0] for unit in list(found)[1:3]} == {"disabled"}
    return off and disabled and found[RIVAL] == ("enabled", "active") and not left


def record(host: Host) -> dict[str, Any]:
    """What the takeover keeps."""
    found: dict[str, Any] = json.loads((host.root / RECORD).read_text())
    return found


def assert_lived_on(host: Host, before: dict[str, Tick]) -> None:
    """No guest has noticed anything since."""
    assert [name for name, tick in before.items() if not went_on(host, name, tick)] == []


def ticks(host: Host, names: list[str]) -> dict[str, Tick]:
    """Where their lives have got to."""
    return newest_ticks(host, names)
