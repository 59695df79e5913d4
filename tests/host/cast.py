"""Guests beside those of cases.py whose stops are judged on a real host: settings, starting."""

from __future__ import annotations

from tests.host.cases import (
    FLAGGED,
    IMAGES,
    SOON,
    WINDOW,
)
from tests.testbed.console import wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

SETTLE = 20
#: For what is done between a guest's stop and the host's, however busy this machine is.
LONG_SETTLE = 600
#: Guests that are started at once: some power themselves off a few seconds later.
AT_A_TIME = 4
#: Ticks until guests power themselves off: of those for which the host, which goes down, waits, and
#: of those whose service or libvirtd is stopped first.
IN_A_MOMENT, AWHILE = 20, 40
#: The same of those that are started again, and how much of it an operator needs.
KIOSK_LIVES, IN_TIME = 30, 20
SECOND = 10**9


def config(settle: int) -> str:
    """The configuration, with that settle time in seconds."""
    return f"""
[shutdown]
settle = "{settle}s"
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


def both(*specs: GuestSpec) -> list[GuestSpec]:
    """Each without the flag and with it."""
    return [spec for plain in specs for spec in (plain, flagged(plain))]


def flagged(spec: GuestSpec) -> GuestSpec:
    return GuestSpec(**{**vars(spec), "name": spec.name + FLAGGED})


REVERTED = [
    GuestSpec(name, disk=IMAGES / f"{name.replace(' ', '-')}.qcow2")
    for name in ("reverted", "reverted" + FLAGGED)
]
KIOSK = both(GuestSpec("kiosk", poweroff_after=KIOSK_LIVES))
IGNORED = both(GuestSpec("as libvirt does", poweroff_after=SOON))
AWAY = both(GuestSpec("off while guestctl is away", poweroff_after=AWHILE))
PULLED = both(GuestSpec("pulled while guestctl is away"))
OUTAGE = both(GuestSpec("off while libvirtd is away", poweroff_after=AWHILE))
UNDEFINED = both(GuestSpec("undefined", poweroff_after=SOON))
RENAMED = both(GuestSpec("renamed", poweroff_after=SOON))
AGAIN = both(GuestSpec("made again", poweroff_after=SOON))
BEFORE = both(GuestSpec("just before", poweroff_after=2))
DURING = both(GuestSpec("during", button="ignore", poweroff_after=IN_A_MOMENT))


def start(host: Host, spec: GuestSpec) -> None:
    """Without waiting; the flag is there before, so that none of it is news after its stop."""
    host.define(spec)
    if spec.name.endswith(FLAGGED):
        host.virsh("autostart", spec.id)
    host.start(spec, wait=False)


def start_both(host: Host, specs: list[GuestSpec]) -> None:
    for spec in specs:
        start(host, spec)
    for spec in specs:
        wait_for_tick(host.console(spec.name))


def wait_off(host: Host, specs: list[GuestSpec]) -> None:
    for spec in specs:
        host.wait_for_state(spec.name, "shut off", 120)
