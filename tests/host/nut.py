"""NUT on a host: a UPS of its driver dummy-ups, upsd, and an upsmon that is as documented."""

from __future__ import annotations

import shutil

from tests.command import PROJECT
from tests.host.conftest import install_debs
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

UPS = "ups@localhost"
HOOK = "/usr/local/sbin/guestctl-ups"
RULES = "etc/polkit-1/rules.d/50-guestctl-nut.rules"
#: Seconds on battery before guests are shed.
TIMER = 3
CONFIGURATION = {
    "nut.conf": "MODE=standalone\n",
    "ups.conf": "[ups]\n  driver = dummy-ups\n  port = ups.dev\n  pollinterval = 1\n",
    "upsd.conf": "LISTEN 127.0.0.1\n",
    "upsd.users": "[monitor]\n  password = word\n  upsmon primary\n",
    "upsmon.conf": f"""\
MONITOR {UPS} 1 monitor word primary
MINSUPPLIES 1
SHUTDOWNCMD "{HOOK} shutdown"
SHUTDOWNEXIT yes
POWERDOWNFLAG /etc/killpower
NOTIFYCMD /sbin/upssched
NOTIFYFLAG ONLINE SYSLOG+EXEC
NOTIFYFLAG ONBATT SYSLOG+EXEC
POLLFREQ 1
POLLFREQALERT 1
HOSTSYNC 5
DEADTIME 15
FINALDELAY 1
""",
    "upssched.conf": f"""\
CMDSCRIPT {HOOK}
PIPEFN /run/nut/upssched.pipe
LOCKFN /run/nut/upssched.lock
AT ONBATT * START-TIMER shed {TIMER}
AT ONLINE * CANCEL-TIMER shed
AT ONLINE * EXECUTE online
""",
}


def install_nut(host: Host) -> None:
    """Put NUT and the example's files on the disk of a host that is off; its UPS is online."""
    install_debs(host, "nut-server")
    for name, text in CONFIGURATION.items():
        configure(host, name, text)
    (host.root / "etc/nut/ups.dev").write_text(dev("OL"))
    shutil.copy(PROJECT / "examples/guestctl-ups", host.root / HOOK.lstrip("/"))
    shutil.copy(PROJECT / "examples/50-guestctl-nut.rules", host.root / RULES)
    host.run_on_disk(["systemctl", "enable", "nut.target", "nut-server", "nut-monitor"])
    host.run_on_disk(["systemctl", "enable", "nut-driver@ups", "nut-driver.target"])


def configure(host: Host, name: str, text: str) -> None:
    """Have a file of /etc/nut say this; its owner and mode are those of the package's."""
    (host.root / "etc/nut" / name).write_text(text)


def dev(status: str, runtime: int = 600, charge: int = 100) -> str:
    """What the driver reads: a line is a variable and its value."""
    return f"ups.status: {status}\nbattery.runtime: {runtime}\nbattery.charge: {charge}\n"


def power(host: Host, status: str, runtime: int = 600) -> None:
    """Have the UPS say this, and wait until upsd does."""
    path = host.root / "etc/nut/ups.dev"
    fresh = path.with_suffix(".new")
    fresh.write_text(dev(status, runtime))
    fresh.rename(path)
    wait_power(host, status)


def wait_power(host: Host, status: str) -> None:
    """Wait until the UPS is said to be so."""

    def is_so() -> bool:
        found = host.run(["upsc", UPS, "ups.status"], check=False)
        return found.stdout.strip() == status

    wait_until(is_so, 60, f"{status} of {UPS}")
