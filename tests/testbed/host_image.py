"""The disks of the hosts: a Debian with systemd and libvirt in it, one for each generation."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .cache import BuildError, built, recipe_key
from .packages import output

SUITES = ("bookworm", "trixie", "forky")
BUILD_SECONDS = 1800
PACKAGES = (
    # The host: an init, a bus, logins, virtual machines.
    *("systemd-sysv", "dbus", "libpam-systemd", "polkitd", "systemd-container"),
    *("libvirt-daemon-system", "libvirt-daemon-driver-qemu", "libvirt-daemon-driver-lxc"),
    *("libvirt-clients", "qemu-system-x86", "qemu-utils"),
    # What guestctl needs.
    *(
        "python3",
        "python3-libvirt",
        "python3-sdnotify",
        "python3-rich",
        "python3-systemd",
    ),
    # What a test wants to look around with.
    *("procps", "util-linux", "iproute2"),
)
#: The one that writes for the bus: what each generation has, and so that each is seen on hosts.
LIBRARY = {
    "bookworm": "python3-dbus-next",  # dbus-fast 1.84.2 is of no use
    "trixie": "python3-dbus-fast",
    "forky": "python3-dbus-fast",
}
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
# They would run in the middle of a test, or wait for a console that is not there.
MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
    *("e2scrub_all.timer", "fstrim.timer", "console-getty.service"),
)
FILES = {
    "etc/systemd/journald.conf.d/testbed.conf": (
        "[Journal]\nStorage=persistent\nRateLimitBurst=0\n"
    ),
    # See cgroups.Group.share_controllers: it comes a moment after the host's first process, and
    # must not come after libvirt's daemon.
    "etc/systemd/system/testbed-controllers.service": (
        "[Unit]\nDescription=Wait for the test bed's control group\n"
        "DefaultDependencies=no\nBefore=sysinit.target\n\n"
        "[Service]\nType=oneshot\nTimeoutStartSec=20\n"
        "ExecStart=/bin/sh -c"
        " 'until [ -n \"$(cat /sys/fs/cgroup/cgroup.controllers)\" ]; do sleep 0.02; done'\n\n"
        "[Install]\nWantedBy=sysinit.target\n"
    ),
}


def host_image(suite: str) -> Path:
    """The folder with that generation's unpacked disk, built on first use (about a minute).

    Nothing may be written into it: a host's own disk is a layer above it.
    """
    if suite not in SUITES:
        raise ValueError(f"no such suite: {suite}")
    return built(f"host-{suite}", _recipe(suite), lambda folder: _build(suite, folder))


def _recipe(suite: str) -> str:
    return recipe_key(suite, Path(__file__).read_bytes())


def _build(suite: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gc-build-", dir="/var/tmp") as name:
        tar = Path(name) / "root.tar"
        # By way of a tar: a build that is killed can then not leave mounts in the cache.
        _bootstrap(suite, tar)
        folder.mkdir()
        # Records of the usual 10 KiB are many times slower on some disks.
        output("tar", "--blocking-factor=2048", "--numeric-owner", "-xf", tar, "-C", folder)
    _write_files(folder)
    folder.chmod(0o755)


def _bootstrap(suite: str, tar: Path) -> None:
    packages = ",".join((*PACKAGES, LIBRARY[suite]))
    argv = ["mmdebstrap", "-q", "--variant=minbase", f"--include={packages}"]
    # A testing suite's index can be past its date.
    argv += ['--aptopt=Acquire::Check-Valid-Until "false"']
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    # Enabled, it would save or shut down the guests before guestctl does.
    argv += ['--customize-hook=chroot "$1" systemctl disable libvirt-guests.service']
    done = subprocess.run(
        [*argv, suite, str(tar)],
        env={**os.environ, "TMPDIR": str(tar.parent)},
        text=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"mmdebstrap {suite}: {done.stderr.strip()[-2000:]}")


def _write_files(folder: Path) -> None:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Each host gets its name when it boots; this would overrule it.
    (folder / "etc/hostname").unlink(missing_ok=True)
    (folder / "var/log/journal").mkdir(parents=True, exist_ok=True)
    output("systemctl", f"--root={folder}", "enable", "testbed-controllers.service")
    output("systemctl", f"--root={folder}", "mask", *MASKED)
