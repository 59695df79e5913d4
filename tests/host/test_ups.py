"""A host on a UPS: NUT for real, with the driver dummy-ups, and what it has guestctl do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.host import doctor
from tests.host.conftest import NewHost
from tests.host.nut import CONFIGURATION, HOOK, UPS, configure, dev, install_nut, power, wait_power
from tests.host.service import wait_watching
from tests.host.support import (
    Before,
    all_lived_on,
    assert_back,
    came_out,
    journal_since,
    listed,
    look,
    runs,
    wait_restored,
    wait_saving,
)
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

FIRST = ("db", "web", "mail")
#: They come up last, and so are shed.
LAST = ("batch 1", "batch 2")
EVERYBODY = (*FIRST, *LAST)
CONFIG = """
[[guest]]
match = "batch*"
order = 20

[profile.ups]
deadline = "4min"
"""


def test_the_story_of_a_ups(new_host: NewHost, suite: str) -> None:
    """One host, since to make it takes longest: power comes back, fails for good, is cut."""
    host = new_host(suite)
    install_nut(host)
    (host.root / "etc/guestctl/conf.d/ups.toml").write_text(CONFIG)
    host.boot()
    wait_power(host, "OL")
    host.start_all([GuestSpec(name) for name in EVERYBODY])
    wait_watching(host)
    the_doctor_reads_upsmon_conf(host)
    power_comes_back(host)
    power_comes_back_in_mid_save(host)
    power_comes_back_when_all_are_safe(host)
    the_battery_runs_low(host)
    upsmon_sees_the_power_until_guests_are_safe(host)
    the_power_is_cut_while_guests_are_shed(host)


def the_doctor_reads_upsmon_conf(host: Host) -> None:
    """Each of its findings, and that they are gone with what they are about."""
    command = f'"{HOOK} shutdown"'
    secondary = ("primary", "secondary"), ("EXIT yes", "EXIT no")
    stays = host.suite == "forky"  # NUT 2.8.5
    assert found_in(host) == set()
    assert found_in(host, (command, '"/sbin/shutdown -h +0"')) == {"ups-time"}
    assert found_in(host, (command, '"/sbin/poweroff -f"')) == {"upsmon-forced", "ups-time"}
    assert found_in(host, ("SHUTDOWNCMD", "# SHUTDOWNCMD")) == {"upsmon-command"}
    assert found_in(host, secondary[0]) == {"upsmon-secondary"}
    assert found_in(host, *secondary) == (set() if stays else {"upsmon-secondary"})
    assert found_in(host) == set()


def found_in(host: Host, *changes: tuple[str, str]) -> set[str]:
    """The checks that find something in upsmon.conf with these words for those."""
    text = CONFIGURATION["upsmon.conf"]
    for before, after in changes:
        text = text.replace(before, after)
    configure(host, "upsmon.conf", text)
    return {it["check"] for it in doctor.findings(host) if it["check"].startswith("ups")}


def states(host: Host, names: Iterable[str]) -> set[str]:
    found = listed(host)
    return {found[name]["state"] for name in names}


def wait_all(host: Host, names: Iterable[str], state: str) -> None:
    """And that the run which has made them so has ended."""
    wait_until(lambda: states(host, names) == {state}, 90, f"{', '.join(names)} {state}")
    wait_until(lambda: runs(host)[0]["ended"] is not None, 60, "end of the run")


def power_comes_back(host: Host) -> None:
    """The least important guests are shed and brought back; the others never miss a moment."""
    before = look(host, EVERYBODY)
    power(host, "OB DISCHRG", 1200)
    wait_all(host, LAST, "shut off")
    assert states(host, FIRST) == {"running"}
    assert came_out(host, "preserve", before.at) == dict.fromkeys(LAST, "saved")
    assert {listed(host)[name]["next_boot"] for name in LAST} == {"resume"}
    power(host, "OL CHRG", 1200)
    wait_all(host, LAST, "running")
    assert came_out(host, "restore", before.at) == dict.fromkeys(LAST, "resumed")
    assert all_lived_on(host, before.ticks)
    assert f"shed ({UPS})" in journal_since(host, before.at)
    # The example looks at the UPS by itself, and may see it before upsmon has told.
    wait_until(lambda: f"online ({UPS})" in journal_since(host, before.at), 30, "upsmon's word")


def power_comes_back_in_mid_save(host: Host) -> None:
    """What goes on is called off, and nobody is the worse for it."""
    wait_idle(host)
    before = look(host, EVERYBODY)
    host.slow_saves(2 * 10**6)
    power(host, "OB DISCHRG", 1200)
    wait_saving(host, LAST[:1])
    power(host, "OL CHRG", 1200)
    wait_until(lambda: "guestctl resume -q" in journal_since(host, before.at), 60, "resume")
    host.slow_saves(0)
    wait_all(host, EVERYBODY, "running")
    said = journal_since(host, before.at)
    assert "guestctl cancel -q --mine" in said
    assert "cancel: ended with status" not in said
    assert all_lived_on(host, before.ticks)


def power_comes_back_when_all_are_safe(host: Host) -> None:
    """What a timer has the example do after long on battery, and undo; by hand here."""
    wait_idle(host)
    before = look(host, EVERYBODY)
    power(host, "OB DISCHRG", 1200)
    host.run([HOOK, "preserve"])
    wait_all(host, EVERYBODY, "shut off")
    power(host, "OL CHRG", 1200)
    wait_all(host, EVERYBODY, "running")
    assert came_out(host, "restore", before.at) == dict.fromkeys(EVERYBODY, "resumed")
    assert all_lived_on(host, before.ticks)


def wait_idle(host: Host) -> None:
    """Until the example has nothing left to do."""
    free = "flock -n /run/nut/guestctl-ups.lock true"
    wait_until(lambda: host.run(free, check=False).returncode == 0, 60, "end of its work")


def the_battery_runs_low(host: Host) -> None:
    """Some are shed, then all are taken to safety within what the battery has, and the host's end
    is upsmon's; at the next boot all go on where they were."""
    wait_idle(host)
    before = look(host, EVERYBODY)
    power(host, "OB DISCHRG", 600)
    wait_all(host, LAST, "shut off")
    assert not (host.root / "etc/killpower").exists()
    write_low(host, 130)
    host.wait_off(180)
    assert (host.root / "etc/killpower").exists()
    said = journal_since(host, before.at)
    assert "the battery of ups@localhost lasts 2min 10s: within 70s" in said
    assert "guestctl shutdown --preserve --profile ups --within upsc:ups@localhost" in said
    assert boots_with_power(host, before) == dict.fromkeys(EVERYBODY, "resumed")
    assert not (host.root / "etc/killpower").exists()


def write_low(host: Host, runtime: int) -> None:
    (host.root / "etc/nut/ups.dev").write_text(dev("OB DISCHRG LB", runtime, 10))


def boots_with_power(host: Host, before: Before) -> dict[str, str]:
    """The next boot brings everybody back, as it says."""
    (host.root / "etc/nut/ups.dev").write_text(dev("OL"))
    host.boot()
    wait_restored(host)
    wait_watching(host)
    wait_power(host, "OL")
    back = came_out(host, "restore", max(before.at, host.up_since))
    assert_back(host, before._replace(at=host.up_since), back)
    return back


def upsmon_sees_the_power_until_guests_are_safe(host: Host) -> None:
    """A plain poweroff: NUT's units are stopped once guests are down, and not before."""
    before = look(host, EVERYBODY)
    host.slow_saves(10**6)
    host.popen("systemctl poweroff")
    wait_saving(host, FIRST[:1])
    wait_told(host, before, "Stopping guestctl.service")  # logind's delay is over
    (host.root / "etc/nut/ups.dev").write_text(dev("OB DISCHRG"))
    wait_told(host, before, f"UPS {UPS} on battery")
    host.slow_saves(0)
    host.wait_off(180)
    said = journal_since(host, before.at)
    on_battery = said.index(f"UPS {UPS} on battery")
    saved = said.index("Stopped guestctl.service")
    stops = [said.index(f"Stopping {unit}.service") for unit in ("nut-monitor", "nut-server")]
    assert on_battery < saved < min(stops)
    assert boots_with_power(host, before) == dict.fromkeys(EVERYBODY, "resumed")


def wait_told(host: Host, before: Before, what: str) -> None:
    """By the journal."""
    wait_until(lambda: what in journal_since(host, before.at), 60, what)


def the_power_is_cut_while_guests_are_shed(host: Host) -> None:
    """All come back at the next boot, also who was down."""
    before = look(host, EVERYBODY)
    power(host, "OB DISCHRG", 600)
    wait_all(host, LAST, "shut off")
    host.power_cut()
    back = {**dict.fromkeys(FIRST, "started"), **dict.fromkeys(LAST, "resumed")}
    assert boots_with_power(host, before) == back
