"""libvirt's autostart flags at boot: guestctl does what they say, with its checks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.host.service import configured, wait_watching
from tests.host.stage import FEW
from tests.host.support import boots_of, listed, trail, wait_restored
from tests.testbed.console import boots, read_ticks, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
SECOND = 10**9
DISK = Path("/var/lib/libvirt/images/stale.raw")
TURNED_OFF = GuestSpec("turned off", poweroff_after=3)
STALE = GuestSpec("stale", disk=DISK)
NEW = GuestSpec("new")
FLAGGED = [TURNED_OFF, STALE, NEW]


@pytest.fixture
def lives(host: Host) -> Iterator[dict[str, int]]:
    """One guest is turned off by its user, one is saved, one was never on; all have the flag.

    How often each has booted.
    """
    host.run(["truncate", "-s", "1M", str(DISK)])
    with configured(host, '[shutdown]\nsettle = "1s"\n'):
        for spec in FLAGGED:  # before they run: after a stop a flag would be the newest word
            host.define(spec)
            host.virsh("autostart", spec.name)
        host.start_all([TURNED_OFF, STALE])
        host.wait_for_state(TURNED_OFF.name, "shut off")
        wait_settled(host, TURNED_OFF.name)
        yield {spec.name: len(boots(host.console(spec.name))) for spec in FLAGGED}


def wait_settled(host: Host, name: str) -> None:
    """Until the settle time is over, and some more for it to be written down."""
    wait_until(lambda: is_settled(host, name), 60, "end of the settle time")


def is_settled(host: Host, name: str) -> bool:
    """Whether it is known that the guest has stopped, and that was a while ago."""
    stopped: int | None = listed(host)[name]["stopped_at"]
    return stopped is not None and time.time_ns() > stopped + 3 * SECOND


def test_flags_are_obeyed_with_checks(host: Host, lives: dict[str, int]) -> None:
    leave_by(host, POWEROFF)
    change(host)
    host.boot()
    wait_restored(host)
    assert_only_the_new_one_runs(host, lives)


def change(host: Host) -> None:
    """Somebody writes to the disk of a saved guest."""
    with (host.root / DISK.relative_to("/")).open("r+b") as disk:
        disk.write(b"changed")


def assert_only_the_new_one_runs(host: Host, lives: dict[str, int]) -> None:
    rows = listed(host)
    row = rows[TURNED_OFF.name]
    assert (row["state"], row["wanted"], row["autostart"]) == ("shut off", "off", True)
    row = rows[STALE.name]
    assert (row["state"], row["saved"], row["next_boot"]) == ("shut off", True, "held")
    assert str(DISK) in row["held"]
    assert rows[NEW.name]["state"] == "running"
    assert {name: len(boots_of(host, name)) for name in lives} == {
        **lives,
        NEW.name: lives[NEW.name] + 1,
    }


def test_fallback_starts_them_as_well(host: Host, lives: dict[str, int]) -> None:
    """The service does not come up: the same guests are started, and the same are not."""
    leave_by(host, POWEROFF)
    change(host)
    drop_in = host.root / "etc/systemd/system/guestctl.service.d/broken.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/bin/false\n")
    host.boot()
    wait_restored(host)
    assert_only_the_new_one_runs(host, lives)
    drop_in.unlink()
    host.run("systemctl daemon-reload && systemctl reset-failed && systemctl restart guestctl")


def test_libvirt_does_as_ever_without_guestctl(host: Host, lives: dict[str, int]) -> None:
    leave_by(host, POWEROFF)
    host.run_on_disk(["systemctl", "disable", "guestctl"])
    ticks = {name: len(read_ticks(host.console(name))) for name in lives}
    host.boot()
    for name, before in ticks.items():
        wait_for_tick(host.console(name), before)
    host.run(["systemctl", "enable", "--now", "guestctl"])


def test_the_newest_word_counts_be_it_a_flag_or_a_stop(host: Host) -> None:
    """One is flagged after its stop, one loses its flag while it runs, one was never touched."""
    flagged, taken, untouched = FEW.saved
    host.virsh("autostart", taken)
    host.run("systemctl restart guestctl")
    wait_watching(host)
    with configured(host, '[shutdown]\nsettle = "1s"\n'):
        host.virsh("destroy", flagged)
        wait_settled(host, flagged)
        host.virsh("autostart", flagged)
        host.virsh("autostart", "--disable", taken)
        assert next_boot(host, [flagged, taken, untouched]) == ["start", "stay-down", "resume"]
        host.reboot()
        wait_restored(host)
    assert [host.state(name) for name in FEW.saved] == ["running", "shut off", "running"]
    assert said(host, flagged, "was set since")  # libvirt tells of no flag as it changes (9.0)
    assert said(host, taken, "was taken away since")
    assert listed(host)[taken]["wanted"] == "off"
    host.virsh("autostart", "--disable", flagged)
    # Started anew, it is wanted on again, with nothing said since: the next test's guest.
    host.virsh("destroy", flagged)
    host.start_again(flagged)


def test_autostart_once_is_done_at_one_boot(host: Host, suite: str) -> None:
    if suite == "bookworm":
        pytest.skip("libvirt knows autostart --once from 11.2 on")
    once, off, _ = FEW.saved
    with configured(host, '[shutdown]\nsettle = "1s"\n'):
        for name in (once, off):
            host.virsh("destroy", name)
            wait_settled(host, name)
        host.virsh("autostart", "--once", once)
        assert next_boot(host, [once, off]) == ["start", "stay-down"]
        host.reboot()
        wait_restored(host)
        assert [host.state(name) for name in (once, off)] == ["running", "shut off"]
        assert not is_flagged_once(host, once)

        host.virsh("destroy", once)
        wait_settled(host, once)
        host.reboot()
        wait_restored(host)
    assert host.state(once) == "shut off"


def next_boot(host: Host, names: Iterable[str]) -> list[str]:
    rows = listed(host)
    return [rows[name]["next_boot"] for name in names]


def said(host: Host, name: str, words: str) -> bool:
    return any(words in reason for reason in trail(host, name))


def is_flagged_once(host: Host, name: str) -> bool:
    ask = f"import libvirt; print(libvirt.open(None).lookupByName({name!r}).autostartOnce())"
    return host.run(["python3", "-c", ask]).stdout.strip() != "0"
