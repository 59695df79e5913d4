"""org.guestctl1 on a real host, as any program asks it."""

from __future__ import annotations

import json
from typing import Any

from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

NAME, ROOT = "org.guestctl1", "/org/guestctl1"
MANAGER, GUEST, RUN = (f"{NAME}.{kind}" for kind in ("Manager", "Guest", "Run"))
NO_RUN = "/"
#: After the bus, logind and machined do not come back to the new one by themselves (seen on
#: Debian 13).
AFTER_THE_BUS = "systemctl restart systemd-logind systemd-machined"


def call(host: Host, path: str, interface: str, member: str, *arguments: str) -> list[Any]:
    """What a method returns; arguments as busctl has them: the signature, then the values."""
    argv = ["busctl", "--json=short", "call", NAME, path, interface, member, *arguments]
    said = host.run(argv).stdout
    values: list[Any] = json.loads(said)["data"] if said.strip() else []
    return values


def get(host: Host, path: str, interface: str, name: str) -> Any:
    """The value of a property."""
    argv = ["busctl", "--json=short", "get-property", NAME, path, interface, name]
    return json.loads(host.run(argv).stdout)["data"]


def is_owned(host: Host) -> bool:
    """Whether the service has its name on the bus."""
    asked = ["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus"]
    return host.run([*asked, "NameHasOwner", "s", NAME], check=False).stdout == "b true\n"


def wait_owned(host: Host, timeout: float = 30) -> None:
    """Wait until it does."""
    wait_until(lambda: is_owned(host), timeout, f"{NAME} on the bus of {host.name}")


def current_run(host: Host) -> str:
    """The object of the run under way; NO_RUN where there is none."""
    path: str = get(host, ROOT, MANAGER, "CurrentRun")
    return path
