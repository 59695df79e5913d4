"""apcupsd on a host whose UPS hangs on another one, with the scripts that the how-to has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.command import PROJECT
from tests.host.conftest import install_debs
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

HOW_TO = PROJECT / "docs/howto/shut-down-on-a-ups.md"
FOLDER = "etc/apcupsd"
#: Not apcupsd's own, at which apcaccess asks.
PORT = 3552
CONF = f"""\
## apcupsd.conf v1.1 ##
UPSCABLE ether
UPSTYPE net
DEVICE 127.0.0.1:{PORT}
POLLTIME 2
LOCKFILE /var/lock
SCRIPTDIR /etc/apcupsd
PWRFAILDIR /etc/apcupsd
NOLOGINDIR /etc
ONBATTERYDELAY 2
BATTERYLEVEL 5
MINUTES 5
TIMEOUT 0
KILLDELAY 0
NETSERVER on
NISIP 127.0.0.1
NISPORT 3551
EVENTSFILE /var/log/apcupsd.events
"""
SERVER = f"""\
[Unit]
Description=The other host's apcupsd
Before=apcupsd.service

[Service]
ExecStart=/usr/bin/python3 /opt/nis_server.py /{FOLDER}/other {PORT}

[Install]
WantedBy=multi-user.target
"""
#: Words of apcupsd for a state of the UPS, and its bits.
ONLINE, ON_BATTERY = ("ONLINE", 0x05000008), ("ONBATT", 0x05000010)
#: The host that the UPS hangs on goes down itself.
SHUTTING_DOWN = 0x200
State = tuple[str, int]


def install_apcupsd(host: Host) -> None:
    """Put it and the scripts on the disk of a host that is off; the UPS is online."""
    install_debs(host, "apcupsd")
    (host.root / FOLDER / "apcupsd.conf").write_text(CONF)
    for name, text in scripts().items():
        script = host.root / FOLDER / name
        script.write_text(text)
        script.chmod(0o755)
    shutil.copy(Path(__file__).with_name("nis_server.py"), host.root / "opt")
    (host.root / "etc/systemd/system/other-apcupsd.service").write_text(SERVER)
    says(host, ONLINE)
    host.run_on_disk(["systemctl", "enable", "apcupsd", "other-apcupsd"])


def scripts() -> dict[str, str]:
    """What the how-to says is to be in /etc/apcupsd, by name."""
    text = HOW_TO.read_text().partition("\n## apcupsd\n")[2]
    found = re.findall(r"`(\w+)`[^`]*\n```sh\n(.*?)```", text, re.DOTALL)
    return dict(found)


def says(host: Host, state: State, minutes: float = 30, bits: int = 0) -> None:
    """Have the other host say this of the UPS."""
    word, flags = state
    lines = {
        "UPSNAME": "ups",
        "MODEL": "of a test",
        "UPSMODE": "Stand Alone",
        "STATUS": word,
        "BCHARGE": "80.0 Percent",
        "TIMELEFT": f"{minutes} Minutes",
        "STATFLAG": f"0x{flags | bits:08X}",
    }
    path = host.root / FOLDER / "other"
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{name:<9}: {value}\n" for name, value in lines.items()))
    fresh.rename(path)


def wait_status(host: Host, word: str) -> None:
    """Wait until apcupsd of this host says so."""

    def is_so() -> bool:
        found = host.run(["apcaccess", "-u", "-p", "STATUS"], check=False)
        return word in found.stdout.split()

    wait_until(is_so, 60, f"{word} of apcupsd")
