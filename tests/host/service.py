"""The service on a real host: what it says of itself, and doing it harm."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.testbed.commands import Result
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

UNIT = "guestctl.service"
#: It never runs a moment: no test has to wait for it, nor be slowed down by it.
PROBE = GuestSpec("probe", memory_mib=32)


def status(host: Host) -> dict[str, Any]:
    """What `guestctl status` says; it fails while not all is well."""
    found: dict[str, Any] = json.loads(
        host.run(["guestctl", "status", "--json"], check=False).stdout
    )
    return found


def main_pid(host: Host) -> int:
    """The service's process as the host counts, 0 while there is none."""
    return int(host.run(["systemctl", "show", "--value", "-p", "MainPID", UNIT]).stdout)


def kill(host: Host, unit: str = UNIT, signal: str = "KILL") -> None:
    """Send the unit's main process a signal."""
    host.run(["systemctl", "kill", "--kill-whom=main", f"--signal={signal}", unit])


def wait_watching(host: Host, timeout: float = 60) -> None:
    """Wait until the service has its connections and its inhibitor, and sees the guests."""
    up = set(host.virsh("list", "--name").split("\n")) - {""}
    wait_until(lambda: _is_watching(host, up), timeout, f"service that watches {host.name}")


def _is_watching(host: Host, up: set[str]) -> bool:
    service = status(host)["service"]
    if not service["running"] or "pid" not in service:
        return False
    connected = set(service["connections"].values()) == {"connected"}
    inhibits = service["logind"]["inhibitor"] is bool(up)
    return connected and inhibits and set(service["up"]) == up


def wait_hearing(host: Host, timeout: float = 60) -> None:
    """Wait until the service hears of a guest that comes and goes, on a connection that lives."""
    host.create_paused(PROBE)
    wait_until(lambda: PROBE.name in status(host)["service"].get("up", []), timeout, "news of it")
    host.virsh("destroy", PROBE.name)
    wait_watching(host, timeout)


def while_written(host: Host, file: Path, command: str) -> Result:
    """Run it while the file is being written: the service does not read it by itself yet."""
    writes = f"while touch {file.relative_to(host.root)}; do sleep 0.5; done"
    return host.run(f"cd /; ({writes}) & {command}; ended=$?; kill $!; exit $ended", check=False)


@contextlib.contextmanager
def configured(host: Host, text: str) -> Iterator[None]:
    """Meanwhile this stands in a drop-in that is read last."""
    file = host.root / "etc/guestctl/conf.d/test.toml"
    file.write_text(text)
    host.run(["systemctl", "reload", UNIT])
    try:
        yield
    finally:
        file.unlink()
        if host.is_on:
            host.run(["systemctl", "reload", UNIT])
