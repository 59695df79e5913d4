"""What libvirt-guests can look like when somebody takes over from it, and the list that it left."""

from __future__ import annotations

import pytest

from tests.host import doctor
from tests.host.conftest import NewHost
from tests.host.support import listed, trail, wait_restored
from tests.host.taking_over import (
    DROP_IN,
    RECORD,
    RIVAL,
    SETTINGS,
    assert_lived_on,
    is_guestctls,
    is_libvirt_guests,
    state,
    ticks,
    under_libvirt_guests,
)
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts
NAMES = ["one", "two", "three"]
TAKEOVER, HANDBACK = "guestctl takeover", "guestctl handback"
LIST = "var/lib/libvirt/libvirt-guests"


def test_whatever_it_is(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    under_libvirt_guests(host, NAMES)
    before = ticks(host, NAMES)
    for story in (
        its_stop_is_set_again_later,
        enabled_for_this_boot,
        masked,
        wanted_by_a_unit_alone,
        switched_on_again,
        nobody_took_over,
    ):
        # A quick host starts it more often than systemd allows within ten seconds.
        host.run(f"systemctl reset-failed {RIVAL}")
        story(host)
    assert_lived_on(host, before)
    its_list(host)
    its_list_of_an_earlier_boot(host)
    being_stopped(host)
    being_started(host)


def refused(host: Host, command: str = TAKEOVER) -> str:
    done = host.run(command, check=False, timeout=120)
    assert done.returncode == 1, done
    return str(done.stderr)


def its_stop_is_set_again_later(host: Host) -> None:
    """Another drop-in of the administrator's is read after ours."""
    other = host.root / f"etc/systemd/system/{RIVAL}.d/override.conf"
    other.parent.mkdir(exist_ok=True)
    other.write_text("[Service]\nExecStop=/usr/libexec/libvirt-guests.sh stop\n")
    said = refused(host)
    assert f"/etc/systemd/system/{RIVAL}.d/override.conf sets it again" in said
    assert "undone" in said
    assert is_libvirt_guests(host)
    other.unlink()
    host.run("systemctl daemon-reload")


def enabled_for_this_boot(host: Host) -> None:
    host.run(f"systemctl disable {RIVAL}; systemctl enable --runtime {RIVAL}")
    assert state(host)[RIVAL] == ("enabled-runtime", "active")
    host.run(TAKEOVER)
    assert is_guestctls(host)
    host.run(HANDBACK)
    assert state(host)[RIVAL] == ("enabled-runtime", "active")
    host.run(f"systemctl disable --runtime {RIVAL}; systemctl enable {RIVAL}")


def masked(host: Host) -> None:
    """While it is up still: its stop must do nothing, and it is not unmasked."""
    host.run(f"systemctl disable {RIVAL}; systemctl mask {RIVAL}")
    assert state(host)[RIVAL] == ("masked", "active")
    host.run(TAKEOVER)
    assert state(host)[RIVAL] == ("masked", "inactive")
    assert host.run(HANDBACK).stdout.count("cannot be switched on") == 1
    assert state(host)[RIVAL] == ("masked", "inactive")
    host.run(TAKEOVER)
    host.run(HANDBACK)
    host.run(f"systemctl unmask {RIVAL}; systemctl enable --now {RIVAL}")
    assert is_libvirt_guests(host)


def wanted_by_a_unit_alone(host: Host) -> None:
    """Static: it cannot be disabled, and what pulls it in does so later as well."""
    unit = host.root / f"etc/systemd/system/{RIVAL}"
    text = host.run(f"systemctl cat {RIVAL}").stdout.partition("[Install]")[0]
    host.run(f"systemctl disable {RIVAL}")
    unit.write_text(text)
    host.run("systemctl daemon-reload")
    assert state(host)[RIVAL] == ("static", "active")
    host.run(TAKEOVER)
    assert state(host)[RIVAL] == ("static", "inactive")
    host.run(f"systemctl start {RIVAL}; systemctl stop {RIVAL}")
    host.run(HANDBACK)
    assert state(host)[RIVAL] == ("static", "active")
    unit.unlink()
    host.run(f"systemctl daemon-reload; systemctl enable {RIVAL}")
    assert is_libvirt_guests(host)


def switched_on_again(host: Host) -> None:
    """As by an upgrade of its package: it is said, and mended by the same command."""
    host.run(TAKEOVER)
    host.run(f"systemctl enable --now {RIVAL}")
    found = host.run("guestctl doctor", check=False)
    assert "-> guestctl takeover" in found.stdout
    assert doctor.found(host, "libvirt-guests-idle")["severity"] == "note"
    assert RIVAL not in host.run("guestctl status", check=False).stdout
    host.run(f"systemctl stop {RIVAL}; systemctl start {RIVAL}")
    assert rows_of(host) == ["running"] * 3
    it_has_a_list(host)
    host.run(TAKEOVER)
    assert is_guestctls(host)
    assert not {"libvirt-guests", "libvirt-guests-idle"} & doctor.checks(host)
    host.run(f"systemctl start {RIVAL}; systemctl stop {RIVAL}")
    host.run(HANDBACK)
    assert is_libvirt_guests(host)


def it_has_a_list(host: Host) -> None:
    """Its start heeds it, whatever is wanted of whom it names."""
    host.define(GuestSpec("listed"))
    (host.root / LIST).write_text(f"default {host.id_of('listed')}\n")
    found = doctor.found(host, "libvirt-guests-list")
    assert (found["severity"], found["command"]) == ("warning", TAKEOVER)
    host.run(f"systemctl restart {RIVAL}", timeout=120)
    wait_until(lambda: not (host.root / LIST).exists(), 60, "its start")
    assert host.state("listed") == "running"
    (host.root / LIST).write_text(f"default {host.id_of('listed')}\n")
    doctor.gone_after_its_command(host, "libvirt-guests-list")
    assert not (host.root / LIST).exists()
    host.run("virsh destroy listed && virsh undefine listed")
    host.run(f"guestctl forget {host.id_of('listed')}", check=False)


def nobody_took_over(host: Host) -> None:
    """guestctl was switched on by hand."""
    host.run(TAKEOVER)
    (host.root / RECORD).unlink()
    host.run(HANDBACK)
    assert is_libvirt_guests(host)


def its_list(host: Host) -> None:
    """Its guests are down, since somebody typed this too early."""
    host.run(f"systemctl disable --now {RIVAL}", timeout=120)
    assert set(rows_of(host)) == {"shut off"}
    said = host.run(TAKEOVER).stdout
    assert "one, three, two: are wanted on" in said
    assert not (host.root / LIST).exists()
    assert rows_of(host) == ["shut off"] * 3
    assert "libvirt-guests was stopped, and had it on its list" in trail(host, "two")[-2]
    host.run("guestctl start", timeout=120)
    assert rows_of(host) == ["running"] * 3
    host.run(HANDBACK)


def rows_of(host: Host) -> list[str]:
    return [row["state"] for row in listed(host).values()]


def its_list_of_an_earlier_boot(host: Host) -> None:
    """The next boot brings back whom it took down in one before; not who was turned off since."""
    host.run(f"systemctl enable --now {RIVAL}; rm -rf /var/lib/guestctl /var/cache/guestctl")
    host.run(f"systemctl disable --now {RIVAL}", timeout=120)
    host.reboot()
    host.start_again("one")
    host.virsh("destroy", "one")
    host.start_again("two")
    said = host.run(TAKEOVER).stdout
    assert "three: are wanted on" in said
    assert "one: off, and stay so" in said
    host.reboot()
    wait_restored(host)
    found = {name: row["state"] for name, row in listed(host).items()}
    assert found == {"one": "shut off", "two": "running", "three": "running"}
    host.run(HANDBACK)


def being_stopped(host: Host) -> None:
    """It takes guests down, and waits for them: whom it has in hand must not be left halfway."""
    (host.root / "etc/default/libvirt-guests").write_text(
        SETTINGS.replace("suspend", "shutdown").replace("20", "60")
    )
    host.start(GuestSpec("ignores", button="ignore"))
    host.run(f"systemctl enable --now {RIVAL}")
    host.popen(["systemctl", "stop", RIVAL])
    wait_until(lambda: state(host)[RIVAL][1] == "deactivating", 30, "its stop")
    assert "is just being stopped, and takes guests down" in refused(host)
    assert not (host.root / RECORD).exists()
    assert not (host.root / DROP_IN).exists()
    # Whoever is not up yet does not hear its button either.
    for name, row in listed(host).items():
        if row["state"] == "running":
            host.run(["virsh", "destroy", name], check=False)
    wait_until(lambda: state(host)[RIVAL][1] == "inactive", 60, "the end of its stop")


def being_started(host: Host) -> None:
    """It brings guests back, and waits between two of them: with libvirt 12.8 it is up by then."""
    with (host.root / "etc/default/libvirt-guests").open("a") as settings:
        settings.write("START_DELAY=15\n")
    host.popen(["systemctl", "start", RIVAL])
    wait_until(lambda: "running" in rows_of(host), 60, "its first guest")
    assert (host.root / LIST).exists()
    assert "is just being started" in refused(host)
    assert not (host.root / RECORD).exists()
    assert not (host.root / DROP_IN).exists()


def test_there_is_no_other(new_host: NewHost, suite: str) -> None:
    """libvirt-guests is not installed; or somebody is no administrator."""
    host = new_host(suite)
    host.boot()
    host.run("rm /usr/lib/systemd/system/libvirt-guests.service; systemctl daemon-reload")
    host.start(GuestSpec("one"))
    host.run("systemctl disable --now guestctl guestctl-guard")
    host.run(TAKEOVER)
    assert state(host)["guestctl.service"] == ("enabled", "active")
    assert "nobody is in charge" in host.run(HANDBACK).stdout
    for verb in (TAKEOVER, HANDBACK):
        done = host.run(["setpriv", "--reuid=nobody", "--clear-groups", *verb.split()], check=False)
        assert (done.returncode, "which only root may" in done.stderr) == (3, True)
