"""The doctor on a real host: what it finds, as tests of its checks share it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.host.service import wait_watching
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

#: What the service finds by itself, and when at the latest: begun after 1 min, it has 3.
SEEN, OWN_LOOK = "/run/guestctl/doctor.json", 270.0


def findings(host: Host) -> list[dict[str, Any]]:
    """All of them, worst first."""
    found = host.run(["guestctl", "doctor", "--json"], check=False)
    told: list[dict[str, Any]] = json.loads(found.stdout)
    assert found.returncode == status_of(told), (found.stderr, told)
    return told


def status_of(told: list[dict[str, Any]]) -> int:
    """The command's, for root: 4 where it did not reach libvirt itself, as it may before the
    service does after a restart of libvirt's daemon."""
    if any(it["problem"].startswith("cannot connect to ") for it in told):
        return 4
    return 0 if all(it["severity"] == "note" for it in told) else 1


def trouble(host: Host) -> list[dict[str, Any]]:
    """What is worse than a note."""
    return [it for it in findings(host) if it["severity"] != "note"]


def found(host: Host, check: str) -> dict[str, Any]:
    """The one finding of this check."""
    told = findings(host)
    matching = [it for it in told if it["check"] == check]
    assert len(matching) == 1, told
    return matching[0]


def do(host: Host, finding: dict[str, Any]) -> None:
    """What it says is to be done; a daemon that was restarted for it is there again after that."""
    host.run(["sh", "-c", finding["command"]])
    wait_watching(host)


def checks(host: Host) -> set[str]:
    """Those that find something."""
    return {finding["check"] for finding in findings(host)}


def gone_after_its_command(host: Host, check: str) -> None:
    """It is found, what it says is done, and it is not found any more."""
    do(host, found(host, check))
    assert check not in checks(host)


@contextlib.contextmanager
def comes(host: Host, spec: GuestSpec) -> Iterator[None]:
    """Meanwhile there is this guest, off, that the next boot starts."""
    host.define(spec)
    host.virsh("autostart", spec.id)
    try:
        yield
    finally:
        host.run(["virsh", "-q", "destroy", spec.id], check=False)
        host.virsh("undefine", spec.id)


@contextlib.contextmanager
def written(host: Host, text: str) -> Iterator[None]:
    """Meanwhile this stands in a drop-in."""
    file = host.root / "etc/guestctl/conf.d/doctor.toml"
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink()
        host.run(["guestctl", "reload"])
