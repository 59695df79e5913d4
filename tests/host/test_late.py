"""What guests need comes long after the boot: they are waited for, and come up in their order.

top requires all that is late: middle, which requires the guest of a disk, and those of a network
and a pool.  One with `after` does not wait for them, and one is never ready by its own rule.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.host.service import UNIT, configured, status
from tests.host.stage import FEW
from tests.host.support import (
    began,
    listed,
    lived_once,
    newest_run,
    newest_tick,
    trail,
    wait_restored,
    went_on,
)
from tests.testbed.console import Tick, read_ticks, wait_for_tick
from tests.testbed.guests import AGENT_CHANNEL, GuestSpec
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
MIDDLE, TOP, GOES_ON = GuestSpec("middle"), GuestSpec("top"), GuestSpec("goes on")
MUTE, NEEDS_MUTE = GuestSpec("mute"), GuestSpec("needs mute")
ALL = [COLD, SAVED, POOLED, NETWORKED, MIDDLE, TOP, GOES_ON, MUTE, NEEDS_MUTE]
NAMES = [spec.name for spec in ALL]
#: They lack something; those below, another guest.
LACK = [COLD.name, SAVED.name, POOLED.name, NETWORKED.name]
REQUIRE = [MIDDLE.name, TOP.name, NEEDS_MUTE.name]
NETWORK = "<network><name>manual</name><forward mode='bridge'/><bridge name='late0'/></network>"
INTERFACE = "<interface type='network'><source network='manual'/></interface>"
DISK = (
    "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
    "<source pool='late' volume='pooled.raw'/><target dev='vdb' bus='virtio'/></disk>"
)
#: There is nobody at its other end.
CHANNEL = f"<channel type='unix'><target type='virtio' name='{AGENT_CHANNEL}'/></channel>"
BRIDGE = "ip link add late0 type bridge && ip link set late0 up"
#: The delays are longer than a guest takes to its first tick: its console tells the order.
ORDER = """
[[guest]]
match = "cold"
ready = ["delay:4s"]
[[guest]]
match = "pooled"
ready = ["delay:4s"]
[[guest]]
match = "middle"
requires = ["cold"]
[[guest]]
match = "top"
requires = ["middle", "pooled", "networked"]
[[guest]]
match = "goes on"
after = ["top", "mute"]
[[guest]]
match = "needs mute"
requires = ["mute"]
"""
NEVER_READY = """
[[guest]]
match = "mute"
ready = ["agent"]
ready-timeout = "5s"
"""
SOON_GIVEN_UP = '[[guest]]\nmatch = "networked"\nstart-retry = "20s"\n'
#: Seconds between attempts, where nothing wakes guests.
PAUSES = (5, 10, 20, 40, 80, 160)
#: What libvirtd says of each attempt to start the guest that comes last but one.
NO_POOL = "storage pool 'late'"


def test_all_of_them_come_up(host: Host) -> None:
    """Long after the boot has tried them, each as soon as what it needs is there."""
    with configured(host, ORDER + NEVER_READY + SOON_GIVEN_UP):
        saved_at = go_down(host)
        host.boot()
        wait_restored(host)
        restored = time.time()
        assert_all_are_waited_for(host)
        assert_it_goes_on(host)
        assert_never_ready(host)
        assert_given_up(host, NETWORKED.name)
        all_arrive(host, restored)
        assert went_on(host, SAVED.name, saved_at)
        assert_in_order(host)
        is_ready_after_all(host)

        wait_until(lambda: not waiting(host), 20, "end of the waiting")
        assert all(lived_once(host, name) for name in NAMES)
        assert trail(host, COLD.name)[-2].startswith("start done")


def go_down(host: Host) -> Tick:
    """All of them run, one is saved, the power is cut; where the one that is saved has got to."""
    prepare(host)
    host.start_all([spec for spec in ALL if spec not in (POOLED, NETWORKED, MUTE)])
    for spec in (POOLED, NETWORKED, MUTE):
        host.start_again(spec.name)  # as it was defined
    host.run(["guestctl", "shutdown", "--preserve", SAVED.name])
    saved_at = newest_tick(host, SAVED.name)
    host.power_cut()
    return saved_at


def prepare(host: Host) -> None:
    """The guests, what they need, and nothing of that at the next boot."""
    host.run(f"{MOUNT} && mkdir -p {POOL}")
    host.run(f"truncate -s 1M {COLD.disk} {SAVED.disk} {POOL}/pooled.raw")
    host.run(BRIDGE)
    host.virsh("net-define", write(host, "manual", NETWORK))
    host.virsh("net-start", "manual")
    host.virsh("pool-define-as", "late", "dir", "--target", POOL)
    host.virsh("pool-start", "late")
    for spec, device in ((POOLED, DISK), (NETWORKED, INTERFACE), (MUTE, CHANNEL)):
        host.define(spec)
        host.virsh("attach-device", spec.name, "--config", write(host, spec.name, device))


def write(host: Host, name: str, xml: str) -> str:
    """A file of XML on the host; its path there."""
    (host.root / f"var/tmp/{name}.xml").write_text(xml)
    return f"/var/tmp/{name}.xml"


def assert_all_are_waited_for(host: Host) -> None:
    """By `status`, which is not well, by `list` and by the trails."""
    wait_until(lambda: waiting(host) == {*LACK, *REQUIRE}, 60, "guests that wait")
    assert host.run(["guestctl", "status"], check=False).returncode == 1
    rows = listed(host)
    for name in [*LACK, *REQUIRE]:
        assert (rows[name]["state"], rows[name]["wanted"]) == ("shut off", "on")
        assert rows[name]["waiting"] or rows[name]["given_up"]
        assert any("tried again" in reason for reason in trail(host, name))
    why = rows[NETWORKED.name]["waiting"] or rows[NETWORKED.name]["given_up"]
    assert "network 'manual' is not active" in why
    assert NO_POOL in rows[POOLED.name]["waiting"]
    assert rows[MIDDLE.name]["waiting"] == "it requires cold, not up yet"
    assert rows[TOP.name]["waiting"] == "it requires middle, networked, pooled, not up yet"


def assert_it_goes_on(host: Host) -> None:
    """Who is only to come after others is up, and says without whom."""
    assert host.state(GOES_ON.name) == "running"
    without = "goes on without top, not up yet; mute, not ready yet"
    assert without in trail(host, GOES_ON.name)


def assert_never_ready(host: Host) -> None:
    """Up but unready, for all who ask; who requires it is not started, by its name either."""
    why = listed(host)[MUTE.name]["unready"]
    assert why.startswith("agent: ")
    assert host.state(MUTE.name) == "running"
    assert any(re.match(r"not ready after [\d.]+s: agent: ", it) for it in trail(host, MUTE.name))
    assert newest_run(host, trigger="boot")["guests"][MUTE.name]["outcome"] == "started"
    problems = {found["name"]: found["problem"] for found in status(host)["problems"]}
    assert problems[MUTE.name] == f"up but unready: {why}"
    assert MUTE.name in host.run(["guestctl", "list", "--problems"], check=False).stdout
    started = host.run(["guestctl", "start", "--json", NEEDS_MUTE.name], check=False)
    assert started.returncode == 1
    (guest,) = json.loads(started.stdout)["guests"]
    assert (guest["outcome"], guest["reason"]) == ("skipped", "it requires mute, not ready yet")
    assert host.state(NEEDS_MUTE.name) == "shut off"


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


def all_arrive(host: Host, restored: float) -> None:
    """The disk, the network, the pool: each wakes who waits for it, and those who require that.

    restored: since when nothing has woken anybody, in seconds since the epoch.
    """
    due = when_seldom_tried(host, 20, restored)
    host.run(MOUNT)
    for name in (COLD.name, SAVED.name, MIDDLE.name):
        comes_up(host, name, due)
    assert listed(host)[NETWORKED.name]["given_up"]
    host.run(BRIDGE)
    due = when_seldom_tried(host, 10)
    host.virsh("net-start", "manual")
    comes_up(host, NETWORKED.name, due)
    left = "it requires pooled, not up yet"
    wait_until(lambda: listed(host)[TOP.name]["waiting"] == left, 20, "what top requires still")
    due = when_seldom_tried(host, 10)
    host.virsh("pool-start", "late")
    comes_up(host, POOLED.name, due)
    comes_up(host, TOP.name)


def when_seldom_tried(host: Host, pause: float, woken: float | None = None) -> float:
    """Just after an attempt that came so many seconds after the one before; when the next is due.

    In seconds since the epoch, as is when something woke guests last: just now, where that is not
    given.  Pauses double: guests that nothing wakes are tried after twice as long.
    """
    now = time.time()
    seen: list[Attempt] = []

    def seldom() -> bool:
        seen.append(last_attempt(host, now if woken is None else woken))
        return seen[-1].at > now and seen[-1].pause >= pause

    wait_until(seldom, 180, f"a pause of {pause} s")
    return seen[-1].at + 2 * seen[-1].pause


class Attempt(NamedTuple):
    """When guests were tried, in seconds since the epoch, and the pause before that."""

    at: float
    pause: float


def last_attempt(host: Host, since: float) -> Attempt:
    """Since then; without a pause where none came before it."""
    before, last = [0.0, 0.0, *attempts(host, since)][-2:]
    gap = last - before if before else 0.0
    return Attempt(last, max((pause for pause in PAUSES if pause <= gap), default=0.0))


def attempts(host: Host, since: float) -> list[float]:
    """When guests were tried since then, as libvirtd tells."""
    lines = host.journal(f"--since=@{since:.6f}", "--output=short-unix").splitlines()
    return [float(line.split()[0]) for line in lines if NO_POOL in line and "libvirtd[" in line]


def comes_up(host: Host, name: str, due: float = float("inf")) -> None:
    """Soon; before it would be tried without anything that wakes it."""
    host.wait_for_state(name, "running", 20)
    assert time.time() < due
    wait_for_tick(host.console(name), len(read_ticks(host.console(name))))


def assert_in_order(host: Host) -> None:
    """By their QEMUs: nobody was begun before whom it requires, and one did not wait."""
    for before, after in (
        (COLD, MIDDLE),
        (MIDDLE, TOP),
        (POOLED, TOP),
        (NETWORKED, TOP),
        (GOES_ON, COLD),
    ):
        assert began(host, before.name) < began(host, after.name)


def is_ready_after_all(host: Host) -> None:
    """Its rule was the mistake: once that is mended, who requires it comes up."""
    assert waiting(host) == {NEEDS_MUTE.name}
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(ORDER)
    host.run(["systemctl", "reload", UNIT])
    host.wait_for_state(NEEDS_MUTE.name, "running", 60)
    assert trail(host, MUTE.name)[-1] == "ready now"
    assert listed(host)[MUTE.name]["unready"] is None


def waiting(host: Host) -> set[str]:
    """Names of the guests that the service waits for, or has given up."""
    return {guest["name"] for guest in status(host)["service"].get("waiting", [])}
