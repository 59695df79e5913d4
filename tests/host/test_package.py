"""The Debian package: what `make deb` leaves, what is in it, and that no guest minds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.host.conftest import NewHost, copy_package
from tests.host.support import boots_of
from tests.package import PROJECT, package
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

MODULES = "usr/lib/python3/dist-packages"


def ask(*arguments: str | Path) -> str:
    return subprocess.run(
        ["dpkg-deb", *arguments], capture_output=True, text=True, check=True
    ).stdout


def contents() -> dict[str, str]:
    """The modes of all files and folders in the package, by path."""
    lines = [line.split(maxsplit=5) for line in ask("--contents", package()).splitlines()]
    # Of links their targets are shown as well.
    return {line[5].removeprefix("./").partition(" -> ")[0]: line[0] for line in lines}


def control_file(name: str) -> str:
    return ask("--info", package(), name)


def test_it_is_the_only_file_and_has_a_version_that_is_the_projects() -> None:
    version = ask("--field", package(), "Version").strip()
    assert [path.name for path in package().parent.iterdir()] == [f"guestctl_{version}_all.deb"]
    assert version.startswith(str(project()["version"]))
    assert ask("--field", package(), "Architecture").strip() == "all"


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return found


def test_it_depends_on_the_distributions_packages_of_any_generation() -> None:
    depends = ask("--field", package(), "Depends").strip().split(", ")
    libraries = {"libvirt", "sdnotify", "rich", "systemd"}
    assert {f"python3-{name}" for name in libraries} <= set(depends)
    # Debian 12's dbus-fast is of no use, and dbus-next is orphaned.
    buses = [clause for clause in depends if "dbus-" in clause and "python3" in clause]
    assert buses == ["python3-dbus-fast (>= 2) | python3-dbus-next"]
    # virt-guest-shutdown.target is in the first on Debian 12, in the second from 13 on.
    assert "libvirt-daemon-system | libvirt-daemon-common" in depends
    assert not [clause for clause in depends if "<" in clause]


def test_all_modules_are_in_it_where_every_python_finds_them() -> None:
    ours = {str(path.relative_to(PROJECT)) for path in (PROJECT / "guestctl").rglob("*.py")}
    sources = [path for path in contents() if path.endswith(".py")]
    example = "usr/share/doc/guestctl/examples/preserve_and_follow.py"
    assert {path.removeprefix(f"{MODULES}/") for path in sources} == ours | {example}


def test_units_pages_configuration_and_example_are_in_it() -> None:
    found = contents()
    files = [path for path in (PROJECT / "systemd").rglob("*") if not path.is_dir()]
    units = [f"lib/systemd/system/{path.relative_to(PROJECT / 'systemd')}" for path in files]
    pages = [
        f"usr/share/man/man{path.suffix[1:]}/{path.name}.gz"
        for path in (PROJECT / "docs/man").iterdir()
    ]
    example = "usr/share/doc/guestctl/examples/logind-delay.conf"
    assert {*units, *pages, example, "etc/guestctl/conf.d/"} <= {
        path.removeprefix("usr/") if path.startswith("usr/lib/systemd") else path for path in found
    }
    for completion in (
        "bash-completion/completions/guestctl",
        "zsh/vendor-completions/_guestctl",
        "fish/vendor_completions.d/guestctl.fish",
    ):
        assert found[f"usr/share/{completion}"] == "-rw-r--r--"
    for name in ("dbus-1/system.d/org.guestctl1.conf", "polkit-1/actions/org.guestctl1.policy"):
        assert found[f"usr/share/{name}"] == "-rw-r--r--"
    # The bus starts nothing for the name.
    assert not [path for path in found if "dbus-1/system-services" in path]
    assert found["usr/bin/guestctl"] == "-rwxr-xr-x"
    hook = "/etc/libvirt/hooks/qemu.d/guestctl"
    assert found[hook.removeprefix("/")] == "-rwxr-xr-x"
    assert control_file("conffiles").split() == ["/etc/guestctl/guestctl.toml", hook]


def test_links_in_its_pages_lead_somewhere_on_the_host(tmp_path: Path) -> None:
    """README's were dead, but for four folders of pages."""
    subprocess.run(["dpkg-deb", "--extract", package(), tmp_path], check=True)
    pages = list((tmp_path / "usr/share/doc/guestctl").rglob("*.md"))
    assert pages
    dead = [
        (page.name, link) for page in pages for link in links(page) if leads_nowhere(page, link)
    ]
    # The configuration is linked to where it is in use, outside of the folder that is looked at.
    assert dead == [("README.md", "etc/guestctl/guestctl.toml")]
    found = contents()
    assert "usr/share/doc/guestctl/etc/guestctl" in found
    assert "etc/guestctl/guestctl.toml" in found


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s#]+)", page.read_text())
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def leads_nowhere(page: Path, link: str) -> bool:
    return not (page.parent / link).exists()


CLEAN = ("--variant=minbase", "--include=make,git,ca-certificates")


@pytest.mark.thorough
def test_it_is_built_on_a_clean_debian_from_what_its_control_file_names(
    suite: str, tmp_path: Path
) -> None:
    """Nothing from PyPI: there is no pip, and no network but apt's."""
    sources = tmp_path / "guestctl"
    subprocess.run(["git", "clone", "-q", PROJECT, sources], check=True)
    hooks = (
        f"--customize-hook=copy-in {sources} /root",
        '--customize-hook=chroot "$1" make -C /root/guestctl deb',
        f"--customize-hook=copy-out /root/guestctl/dist {tmp_path}",
        f"--customize-hook=chroot \"$1\" sh -c 'command -v pip3 || true' > {tmp_path}/pip",
    )
    apt = '--aptopt=Acquire::Check-Valid-Until "false"'
    subprocess.run(
        ["mmdebstrap", "-q", *CLEAN, apt, *hooks, suite, "/dev/null"],
        check=True,
        timeout=900,
        env={**os.environ, "TMPDIR": "/var/tmp"},
    )
    (deb,) = (tmp_path / "dist").iterdir()
    assert ask("--field", deb, "Package").strip() == "guestctl"
    assert (tmp_path / "pip").read_text() == ""


LINTIAN = ("lintian", "--allow-root", "--no-cfg", "--display-info", "--pedantic")
#: It is for systemd: its inhibitor, its order of a shutdown and its notifications are what keeps
#: guests safe, and no other init has them.  Not in the overrides: Debian 13's lintian has no such
#: tag, and complains of them.
FOR_SYSTEMD = "package-supports-alternative-init-but-no-init.d-script"


def test_lintian_has_nothing_to_say() -> None:
    """Beside what debian/guestctl.lintian-overrides gives a reason for."""
    if not shutil.which("lintian"):
        pytest.skip("there is no lintian: tests/packages.txt")
    argv = [*LINTIAN, str(package())]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=200)
    said = [line for line in done.stdout.splitlines() if FOR_SYSTEMD not in line]
    assert (said, done.returncode) == ([], 0), done.stderr


def test_it_says_what_to_do_about_libvirt_guests(new_host: NewHost, suite: str) -> None:
    """Its stop takes every guest down, also the stop by which people switch it off."""
    host = new_host(suite)
    host.boot()
    deb = copy_package(host)
    assert "libvirt-guests" not in host.run(["dpkg", "--install", deb]).stdout
    host.run(["systemctl", "enable", "--now", "libvirt-guests"])
    host.start_all([GUEST])
    said = host.run(["dpkg", "--install", deb]).stdout
    assert "libvirt-guests.service is switched on beside guestctl" in said
    lines = [line.strip() for line in said.splitlines() if line.startswith("        ")]
    assert lines == ["guestctl takeover"]
    host.run(lines[0], timeout=200)
    assert host.run(["systemctl", "is-active", "libvirt-guests"], check=False).returncode != 0
    assert len(boots_of(host, GUEST.name)) == 1
    assert "libvirt-guests" not in host.run(["dpkg", "--install", deb]).stdout


GUEST = GuestSpec("flagged")
UNITS = ("guestctl", "guestctl-guard", "guestctl-autostart", "guestctl-fallback")


def test_no_guest_minds_an_upgrade_a_removal_a_purge_or_an_installation(
    new_host: NewHost, suite: str
) -> None:
    host = new_host(suite)
    host.boot()
    host.start_all([GUEST])
    host.virsh("autostart", GUEST.name)
    assert states(host) == ["active", "active", "active", "inactive"]
    assert_understood(host, suite)
    assert_hardened(host)

    guard, service = (
        ask_unit(host, unit, "InvocationID") for unit in ("guestctl-guard", "guestctl")
    )
    deb = copy_package(host)
    host.run(["dpkg", "--install", deb])
    assert ask_unit(host, "guestctl-guard", "InvocationID") == guard
    assert ask_unit(host, "guestctl", "InvocationID") != service
    assert states(host) == ["active", "active", "active", "inactive"]

    host.run("systemctl disable --now guestctl")
    assert enabled(host, "guestctl-autostart") == "disabled"
    host.run("systemctl enable --now guestctl")
    assert enabled(host, "guestctl-autostart") == "enabled"

    said = host.run(["dpkg", "--remove", "guestctl"]).stdout
    assert "nobody is in charge of this host's guests any more" in said
    assert states(host) == ["inactive"] * len(UNITS)
    assert (host.root / "var/lib/guestctl/ledger.db").exists()
    host.run(["dpkg", "--purge", "guestctl"])
    assert not (host.root / "var/lib/guestctl").exists()
    host.run(["test", "!", "-e", "/run/guestctl"])
    assert not (host.root / "etc/guestctl").exists()

    host.run(["dpkg", "--install", deb])
    assert states(host) == ["active", "active", "inactive", "inactive"]
    assert enabled(host, "guestctl-autostart") == "enabled"
    assert host.state(GUEST.name) == "running"
    assert len(boots_of(host, GUEST.name)) == 1

    host.run(["dpkg", "--remove", "guestctl"])
    host.reboot()
    host.wait_for_state(GUEST.name, "running")  # by libvirt's own autostart
    assert len(boots_of(host, GUEST.name)) == 2


def assert_understood(host: Host, suite: str) -> None:
    """systemd has no complaint about the units, nor about their order."""
    paths = [f"/usr/lib/systemd/system/{unit}.service" for unit in UNITS]
    result = host.run(["systemd-analyze", "--man=no", "verify", *paths])
    complaints = [line for line in result.stderr.splitlines() if "guestctl" in line]
    # systemd 252 knows neither, and passes over them.
    newer = ("RestartMode", "strict") if suite == "bookworm" else ()
    assert [line for line in complaints if not any(word in line for word in newer)] == []
    assert "ordering cycle" not in host.journal()


def assert_hardened(host: Host) -> None:
    """The drop-in that the units share reaches each of them, and adds nothing to their own."""
    for unit in UNITS:
        assert ask_unit(host, unit, "NoNewPrivileges") == "yes"
        assert ask_unit(host, unit, "PrivateNetwork") == "yes"
        assert ask_unit(host, unit, "PrivateIPC") == "yes"
        assert ask_unit(host, unit, "NoExecPaths") == "/"
        assert ask_unit(host, unit, "ExecPaths") == "/usr"
        assert int(ask_unit(host, unit, "MemoryMax")) == 1 << 30
        assert int(ask_unit(host, unit, "TasksMax")) == 4096
        # Without pipe(2), which is in @ipc, a guard cannot ask whether the host stops.
        allowed = ask_unit(host, unit, "SystemCallFilter").split()
        assert "pipe" in allowed
        assert not {"chown", "setuid", "keyctl", "mlock"} & set(allowed)
        (capability,) = ask_unit(host, unit, "CapabilityBoundingSet").split()
        assert capability == "cap_dac_" + ("override" if "autostart" in unit else "read_search")


def states(host: Host) -> list[str]:
    return host.run(["systemctl", "is-active", *UNITS], check=False).stdout.split()


def enabled(host: Host, unit: str) -> str:
    return host.run(["systemctl", "is-enabled", unit], check=False).stdout.strip()


def ask_unit(host: Host, unit: str, what: str) -> str:
    return host.run(["systemctl", "show", "--value", f"--property={what}", unit]).stdout.strip()
