"""What guests need comes long after the boot: they are waited for, and come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.service import configured, status
from tests.host.stage import FEW
from tests.host.support import listed, lived_once, newest_tick, trail, wait_restored, went_on
from tests.testbed.console import Tick, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
#: A file system that nobody mounts at boot, as one on a LUKS volume.
FOLDER = Path("/srv/late")
MOUNT = f"mkdir -p {FOLDER} /var/lib/late && mount --bind /var/lib/late {FOLDER}"
#: libvirtd finds a pool of a folder active as it starts if the folder is there.
POOL = f"{FOLDER}/pool"
COLD = GuestSpec("cold", disk=FOLDER / "cold.raw")
SAVED = GuestSpec("saved", disk=FOLDER / "saved.raw")
POOLED, NETWORKED = GuestSpec("pooled"), GuestSpec("networked")
ALL = [COLD, SAVED, POOLED, NETWORKED]
NAMES = [spec.name for spec in ALL]
NETWORK = "<network><name>manual</name><forward mode='bridge'/><bridge name='late0'/></network>"
INTERFACE = "<interface type='network'><source network='manual'/></interface>"
DISK = (
    "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
    "<source pool='late' volume='pooled.raw'/><target dev='vdb' bus='virtio'/></disk>"
)
SOON_GIVEN_UP = '[[guest]]\nmatch = "networked"\nstart-retry = "20s"\n'
BRIDGE = "ip link add late0 type bridge && ip link set late0 up"


def test_all_of_them_come_up(host: Host) -> None:
    """Long after the boot has tried them, each as soon as what it needs is there."""
    with configured(host, SOON_GIVEN_UP):
        prepare(host)
        host.start_all([COLD, SAVED])
        for spec in (POOLED, NETWORKED):
            host.start_again(spec.name)  # as it was defined
        host.run(["guestctl", "shutdown", "--preserve", SAVED.name])
        saved_at = newest_tick(host, SAVED.name)
        host.power_cut()
        host.boot()
        wait_restored(host)
        assert_all_are_waited_for(host)
        assert_given_up(host, NETWORKED.name)
        it_all_comes(host, saved_at)


def it_all_comes(host: Host, saved_at: Tick) -> None:
    """One after another, and each guest with what it needs."""
    host.run(MOUNT)
    comes_up(host, COLD.name)
    comes_up(host, SAVED.name)
    assert went_on(host, SAVED.name, saved_at)
    host.virsh("pool-start", "late")
    comes_up(host, POOLED.name)
    assert listed(host)[NETWORKED.name]["given_up"]
    host.run(BRIDGE)
    host.virsh("net-start", "manual")
    comes_up(host, NETWORKED.name)

    wait_until(lambda: not waiting(host), 20, "end of the waiting")
    assert all(lived_once(host, name) for name in NAMES)
    assert trail(host, COLD.name)[-1].startswith("start done")


def prepare(host: Host) -> None:
    """The guests, what they need, and nothing of that at the next boot."""
    host.run(f"{MOUNT} && mkdir -p {POOL}")
    host.run(f"truncate -s 1M {COLD.disk} {SAVED.disk} {POOL}/pooled.raw")
    host.run(BRIDGE)
    host.virsh("net-define", write(host, "manual", NETWORK))
    host.virsh("net-start", "manual")
    host.virsh("pool-define-as", "late", "dir", "--target", POOL)
    host.virsh("pool-start", "late")
    for spec, device in ((POOLED, DISK), (NETWORKED, INTERFACE)):
        host.define(spec)
        host.virsh("attach-device", spec.name, "--config", write(host, spec.name, device))


def write(host: Host, name: str, xml: str) -> str:
    """A file of XML on the host; its path there."""
    (host.root / f"var/tmp/{name}.xml").write_text(xml)
    return f"/var/tmp/{name}.xml"


def assert_all_are_waited_for(host: Host) -> None:
    """By `status`, which is not well, by `list` and by the trails."""
    wait_until(lambda: waiting(host) == set(NAMES), 60, "guests that wait")
    assert host.run(["guestctl", "status"], check=False).returncode == 1
    rows = listed(host)
    for name in NAMES:
        assert (rows[name]["state"], rows[name]["wanted"]) == ("shut off", "on")
        assert rows[name]["waiting"] or rows[name]["given_up"]
        assert any("tried again" in reason for reason in trail(host, name))
    why = rows[NETWORKED.name]["waiting"] or rows[NETWORKED.name]["given_up"]
    assert "network 'manual' is not active" in why
    assert "pool" in rows[POOLED.name]["waiting"]


def assert_given_up(host: Host, name: str) -> None:
    """Its time is over: `status` says what to type, and so do `list`, the trail and the journal."""
    wait_until(lambda: listed(host)[name]["given_up"], 60, f"{name} given up")
    assert listed(host)[name]["waiting"] is None
    found = host.run(["guestctl", "status"], check=False)
    assert (found.returncode, f"-> guestctl start {name}" in found.stdout) == (1, True)
    assert f"{name}: given up: " in found.stdout
    assert any(reason.startswith("given up after 20s: ") for reason in trail(host, name))
    journal = host.run(["journalctl", "--boot", "--unit=guestctl", "--priority=err"]).stdout
    assert f"{name}: given up after 20s: " in journal


def waiting(host: Host) -> set[str]:
    """Names of the guests that the service waits for, or has given up."""
    return {guest["name"] for guest in status(host)["service"].get("waiting", [])}


def comes_up(host: Host, name: str) -> None:
    """Soon: not once the pause between attempts is over."""
    host.wait_for_state(name, "running", 20)
    wait_for_tick(host.console(name), 0)
