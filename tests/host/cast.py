"""Guests beside those of cases.py whose stops are judged on a real host; their configuration."""

from __future__ import annotations

from tests.host.cases import (
    FLAGGED,
    IMAGES,
    SOON,
    WINDOW,
)
from tests.testbed.guests import GuestSpec

SETTLE = 20
#: Guests that are started at once: some power themselves off a few seconds later.
AT_A_TIME = 4
CONFIG = f"""
[shutdown]
settle = "{SETTLE}s"
[user-shutdown]
request-window = "{WINDOW}s"

[[guest]]
match = "kiosk*"
user-shutdown = "restart"

[[guest]]
match = "as libvirt does*"
user-shutdown = "ignore"

[[guest]]                    # it goes down by itself while the host waits for it
match = "during*"
save = "none"
shutdown-timeout = "60s"
"""
#: Ticks that a boot of the host leaves to guests that power themselves off at the right moment.
IN_A_MOMENT = 12
SECOND = 10**9


def both(*specs: GuestSpec) -> list[GuestSpec]:
    """Each without the flag and with it."""
    return [spec for plain in specs for spec in (plain, flagged(plain))]


def flagged(spec: GuestSpec) -> GuestSpec:
    return GuestSpec(**{**vars(spec), "name": spec.name + FLAGGED})


REVERTED = [
    GuestSpec(name, disk=IMAGES / f"{name.replace(' ', '-')}.qcow2")
    for name in ("reverted", "reverted" + FLAGGED)
]
KIOSK = both(GuestSpec("kiosk", poweroff_after=15))
IGNORED = both(GuestSpec("as libvirt does", poweroff_after=SOON))
AWAY = both(GuestSpec("off while guestctl is away", poweroff_after=IN_A_MOMENT))
PULLED = both(GuestSpec("pulled while guestctl is away"))
OUTAGE = both(GuestSpec("off while libvirtd is away", poweroff_after=IN_A_MOMENT))
UNDEFINED = both(GuestSpec("undefined", poweroff_after=SOON))
RENAMED = both(GuestSpec("renamed", poweroff_after=SOON))
AGAIN = both(GuestSpec("made again", poweroff_after=SOON))
BEFORE = both(GuestSpec("just before", poweroff_after=2))
DURING = both(GuestSpec("during", button="ignore", poweroff_after=IN_A_MOMENT))
