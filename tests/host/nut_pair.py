"""A UPS for two hosts: it hangs on one, NUT's primary, which tells the other, the secondary."""

from __future__ import annotations

import shutil

from tests.command import PROJECT
from tests.host.conftest import NewHost, install_debs
from tests.host.nut import UPS, configure, dev
from tests.testbed.bridge import Bridge
from tests.testbed.waiting import wait_until

#: As Debian ships it, but that all is looked at each second.
UPSMON = {
    "MINSUPPLIES": "1",
    "SHUTDOWNCMD": '"/sbin/shutdown -h +0"',
    "POWERDOWNFLAG": "/etc/killpower",
    "POLLFREQ": "1",
    "POLLFREQALERT": "1",
    "HOSTSYNC": "15",
    "DEADTIME": "15",
    "FINALDELAY": "5",
}
USERS = """
[monitor]
  password = word
  upsmon primary
[other]
  password = word
  upsmon secondary
"""
STAY = "nut-stay.service"
COUNT = "exec 3<>/dev/tcp/127.0.0.1/3493; printf 'GET NUMLOGINS ups\\nLOGOUT\\n' >&3; cat <&3"


class Pair:
    """Both hosts, off, with NUT; guests are the secondary's."""

    def __init__(self, new_host: NewHost, suite: str, bridge: Bridge) -> None:
        """The primary's name and address are as the other's upsmon.conf has them."""
        self.primary, self.secondary = new_host(suite), new_host(suite)
        self.address = bridge.connect(self.primary)
        bridge.connect(self.secondary)
        self._install_primary()
        self._install_secondary()

    def _install_primary(self) -> None:
        host = self.primary
        install_debs(host, "nut-server")
        configure(host, "nut.conf", "MODE=netserver\n")
        configure(host, "ups.conf", "[ups]\n  driver = dummy-ups\n  port = ups.dev\n")
        configure(host, "upsd.conf", f"LISTEN {self.address}\nLISTEN 127.0.0.1\n")
        configure(host, "upsd.users", USERS)
        self.set_primary()
        self.say("OL")
        host.run_on_disk(["systemctl", "enable", "nut.target", "nut-server", "nut-monitor"])
        host.run_on_disk(["systemctl", "enable", "nut-driver@ups", "nut-driver.target"])

    def _install_secondary(self) -> None:
        host = self.secondary
        install_debs(host, "nut-client")
        configure(host, "nut.conf", "MODE=netclient\n")
        self.set_secondary()
        host.run_on_disk(["systemctl", "enable", "nut.target", "nut-monitor"])

    def set_primary(self, **settings: str) -> None:
        """Have its upsmon be so."""
        configure(self.primary, "upsmon.conf", upsmon(f"{UPS} 1 monitor word primary", settings))

    def set_secondary(self, **settings: str) -> None:
        """Have its upsmon be so."""
        configure(self.secondary, "upsmon.conf", upsmon(self._monitor, settings))

    @property
    def _monitor(self) -> str:
        return f"ups@{self.address} 1 other word secondary"

    def stay(self) -> None:
        """Have the secondary stay logged in, as the how-to says."""
        host = self.secondary
        shutil.copy(PROJECT / "examples" / STAY, host.root / "etc/systemd/system")
        (host.root / "etc/nut/stay").mkdir(mode=0o750)
        settings = {"MINSUPPLIES": "0", "SHUTDOWNCMD": "/bin/true"}
        configure(host, "stay/upsmon.conf", upsmon(self._monitor, settings))
        host.run_on_disk(["systemctl", "enable", STAY])

    def say(self, status: str, runtime: int = 600) -> None:
        """Have the UPS say so, from the driver's next look on."""
        (self.primary.root / "etc/nut/ups.dev").write_text(dev(status, runtime))

    def boot(self, logins: int) -> None:
        """Switch both on, and wait until so many are logged in, the primary's own among them."""
        self.primary.boot()
        self.secondary.boot()
        self.wait_logins(logins)

    def wait_logins(self, wanted: int) -> None:
        """Wait until upsd counts so many."""

        def are_there() -> bool:
            found = self.primary.run(["timeout", "5", "bash", "-c", COUNT], check=False)
            return f"NUMLOGINS ups {wanted}" in found.stdout

        wait_until(are_there, 60, f"{wanted} logins at {self.primary.name}")


def upsmon(monitor: str, settings: dict[str, str]) -> str:
    """The text of an upsmon.conf(5)."""
    lines = [f"{key} {value}" for key, value in {**UPSMON, **settings}.items()]
    return "\n".join((f"MONITOR {monitor}", *lines, ""))
