"""A real host: systemd as its first process, logind, libvirt and QEMU guests, in a container.

Its disk is a layer above the unpacked image of its Debian generation.  Booting it again keeps the
disk, a new `Host` has a fresh one.  It has a control group, a network and a bus of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import commands
from .commands import Argv, Result
from .domains import Domains
from .guests import GuestSpec, domain_xml, file_name
from .host_disk import PREFIX, HostDisk, dispose
from .leftovers import sweep
from .processes import first_process_below, read_proc
from .tiny_guest import GuestImage
from .waiting import wait_until

INSIDE = Path("/var/lib/testbed")
HERE = Path(__file__).parent
ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}
REBOOT_STATUS = 133
NSPAWN = (
    *("systemd-nspawn", "--quiet", "--boot", "--console=pipe"),
    *("--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off"),
)
DOOR = "systemctl poweroff"


class Host(Domains):
    """The host; a context manager, which leaves no process, mount or file behind."""

    def __init__(self, suite: str = "trixie", name: str = "host") -> None:
        """Prepare only; the disk comes with `with`, and `boot` starts it."""
        super().__init__()
        self.suite = suite
        self.name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "host"
        self._disk: HostDisk | None = None
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[Any]] = []
        self._leader = 0
        self._leader_handle = -1
        #: nspawn's option; none but its own, unless a bridge has another.
        self.network = "--private-network"
        #: When this userspace was asked for, nanoseconds since the epoch: hosts share our clock.
        self.up_since = 0

    def __enter__(self) -> Self:
        """Make the disk; the host is off."""
        sweep(PREFIX, dispose)
        atexit.register(self.close)
        try:
            self._disk = HostDisk(self.suite)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything of the host, and remove its disk."""
        self.close()

    def close(self) -> None:
        """What leaving the context does; may be called again."""
        atexit.unregister(self.close)
        if self._disk:
            self._disk.close()
            self._reap()
            self._disk = None

    # -- power -----------------------------------------------------------------------------------

    @property
    def disk(self) -> HostDisk:
        """The host's disk and control group."""
        if self._disk is None:
            raise RuntimeError("the host has no disk: use it in a with statement")
        return self._disk

    @property
    def root(self) -> Path:
        """The host's root folder on this machine; `/run` and other mounts are not below it."""
        return self.disk.root

    @property
    def is_on(self) -> bool:
        """Whether the host runs."""
        return self._nspawn is not None and self._nspawn.poll() is None

    @property
    def leader(self) -> int:
        """The process id, on this machine, of the host's first process."""
        if not self.is_on or not self._leader:
            raise RuntimeError(f"{self.name} is off")
        return self._leader

    def boot(self, timeout: float = 180) -> float:
        """Switch the host on and wait until it is up; the seconds it took."""
        if self.is_on:
            raise RuntimeError(f"{self.name} is on")
        began = time.monotonic()
        self._reap()
        self.up_since = time.time_ns()
        self._switch_on()
        wait_until(self._has_leader, timeout, f"first process of {self.name}")
        self.wait_up(timeout)
        return time.monotonic() - began

    def _switch_on(self) -> None:
        group = self.disk.group
        group.create()
        names = (f"--machine={self.disk.machine}", f"--hostname={self.name}")
        argv = [*NSPAWN, self.network, *names, "-D", str(self.root)]
        with self.disk.log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                # In its group from its first moment on: whatever happens to us, it holds them all.
                group.entering(argv),
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_in_place, 60, f"container of {self.name}")
        group.share_controllers()

    def _is_in_place(self) -> bool:
        self._check_running()
        return (self.disk.group.path / "payload").is_dir()

    def _check_running(self) -> None:
        if not self.is_on:
            text = self.disk.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} did not boot: {text}")

    def _has_leader(self) -> bool:
        self._check_running()
        assert self._nspawn is not None
        pid = first_process_below(self._nspawn.pid)
        # Before it has become systemd, it is still on this machine's disk.
        if pid is None or read_proc(pid, "comm") != b"systemd\n":
            return False
        self._leader, self._leader_handle = pid, os.pidfd_open(pid)
        return True

    def wait_up(self, timeout: float = 180) -> None:
        """Wait until the host has reached multi-user.target."""
        wait_until(self._is_up, timeout, f"multi-user.target on {self.name}")

    def _is_up(self) -> bool:
        self._check_running()
        argv = ["systemctl", "is-active", "--quiet", "multi-user.target"]
        return self.run(argv, check=False, timeout=20).returncode == 0

    def wait_off(self, timeout: float = 120) -> None:
        """Wait until the host is off, or off on its way through a reboot."""
        wait_until(lambda: not self.is_on, timeout, f"end of {self.name}")

    @property
    def wants_reboot(self) -> bool:
        """Whether the host, off now, went down in order to come up again; `boot` does that."""
        return self._nspawn is not None and self._nspawn.poll() == REBOOT_STATUS

    def poweroff(self, trigger: Argv | str = DOOR, timeout: float = 120) -> float:
        """Run the command that ends the host and wait until it is off; the seconds it took."""
        began = time.monotonic()
        child = self.popen(trigger, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_off(timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; status of {trigger}: {child.poll()}") from None
        return time.monotonic() - began

    def reboot(self, trigger: Argv | str = "systemctl reboot", timeout: float = 120) -> float:
        """Run the command that reboots the host, switch it on again; the seconds to be down."""
        seconds = self.poweroff(trigger, timeout)
        if not self.wants_reboot:
            raise RuntimeError(f"{self.name} went off, not for a reboot")
        self.boot()
        return seconds

    def soft_reboot(
        self, trigger: Argv | str = "systemctl soft-reboot", timeout: float = 120
    ) -> float:
        """Have a new userspace on the same kernel; the seconds until the old one was gone."""
        began, before = time.monotonic(), self._soft_reboots()
        self.up_since = time.time_ns()
        self.popen(trigger, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self._soft_reboots() > before, timeout, f"new userspace of {self.name}")
        seconds = time.monotonic() - began
        self.wait_up()
        return seconds

    def _soft_reboots(self) -> int:
        self._check_running()
        argv = ["systemctl", "show", "--value", "--property=SoftRebootsCount"]
        # There is nobody to ask, or nobody who answers, while one userspace gives way to the next.
        try:
            count = self.run(argv, check=False, timeout=5).stdout.strip()
        except subprocess.TimeoutExpired:
            return 0
        return int(count) if count.isdigit() else 0

    def power_cut(self) -> None:
        """Take the power away: everything on the host ends at once."""
        assert self.leader
        signal.pidfd_send_signal(self._leader_handle, signal.SIGKILL)
        self.wait_off(60)

    def _reap(self) -> None:
        """Collect what has ended with the host."""
        if self._nspawn:
            self._nspawn.wait(20)
        for child in self._children:
            child.wait(20)
        self._children.clear()
        if self._leader_handle >= 0:
            os.close(self._leader_handle)
        self._nspawn, self._leader, self._leader_handle = None, 0, -1

    # -- commands and files ----------------------------------------------------------------------

    def _inside(self, argv: Argv | str) -> list[str | Path]:
        argv = ["/bin/sh", "-c", argv] if isinstance(argv, str) else argv
        enter = ["nsenter", "--all", f"--target={self.leader}"]
        # A command given up on must not run on in the host.
        return [*enter, "setpriv", "--pdeathsig", "KILL", *argv]

    def run(
        self, argv: Argv | str, check: bool = True, timeout: float = 180, **options: Any
    ) -> Result:
        """Run a command on the host as root; a string goes through its shell."""
        options = {"env": ENV, **options}
        return commands.run(self._inside(argv), check=check, timeout=timeout, **options)

    def popen(self, argv: Argv | str, **options: Any) -> subprocess.Popen[Any]:
        """Start a command on the host; it ends with the host at the latest."""
        options = {"env": ENV, "stdin": subprocess.DEVNULL, **options}
        child = subprocess.Popen(self._inside(argv), **options)
        self._children.append(child)
        return child

    def path(self, inside: str | Path) -> Path:
        """A path of the running host as it is called on this machine, its `/run` included."""
        return Path(f"/proc/{self.leader}/root") / str(inside).lstrip("/")

    def journal(self, *options: str) -> str:
        """The journal of all boots, also when the host is off; options are journalctl's."""
        if self.is_on:
            self.run(["journalctl", "--sync"], check=False)
        # Its own program, an older one cannot read each newer file.
        argv = [
            "journalctl",
            "--directory=/var/log/journal",
            "--no-pager",
            "--output=short-precise",
        ]
        # It fails when the options select nothing.
        return self.run_on_disk([*argv, *options], check=False).stdout

    def run_on_disk(self, argv: Argv, check: bool = True, timeout: float = 180) -> Result:
        """Run one of the host's programs on its disk, also when the host is off."""
        # journalctl, for one, finds nothing without /proc.
        enter = ["unshare", "--mount", f"--mount-proc={self.root}/proc", "chroot", str(self.root)]
        return commands.run([*enter, *argv], check=check, env=ENV, timeout=timeout)

    def keep_evidence(self, folder: Path) -> None:
        """Copy the journal, the consoles and libvirt's logs of the guests into folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "journal.txt").write_text(self.journal())
        shutil.copy(self.disk.log, folder / "container.txt")
        logs = (self.root / "var/log/libvirt/qemu").glob("*.log")
        for path in [*(self.disk.testbed / "log").glob("*.console"), *logs]:
            with contextlib.suppress(OSError):
                shutil.copy(path, folder)

    # -- guests ----------------------------------------------------------------------------------

    def virsh(self, *args: str, timeout: float = 120) -> str:
        """What virsh prints on the host; CommandError if it fails."""
        return self.run(["virsh", "-q", *args], timeout=timeout).stdout

    def console(self, name: str) -> Path:
        """The file to which the guest's console is written, as it is called on this machine."""
        return self.disk.testbed / "log" / file_name(name, ".console")

    def _write_xml(self, spec: GuestSpec) -> str:
        log = INSIDE / "log" / file_name(spec.name, ".console")
        text = domain_xml(spec, GuestImage.in_folder(INSIDE), log)
        name = file_name(spec.name, ".xml")
        (self.disk.testbed / name).write_text(text, "utf-8")
        return str(INSIDE / name)

    def qemu_pid(self, name: str) -> int:
        """The process id of the guest's QEMU as the host counts: for `run(["kill", ...])`."""
        # The name of its pid file is another with each generation of libvirt.
        return int(self.run(["pgrep", "-f", f"qemu.* -uuid {self.id_of(name)}"]).stdout)

    def freeze(self, name: str) -> None:
        """Have the guest's QEMU answer to nobody, as on storage that hangs."""
        self.run(["kill", "-STOP", str(self.qemu_pid(name))])

    def slow_saves(self, bytes_per_second: int) -> None:
        """How fast a managed save is, from now on and also for one under way; 0 is unlimited.

        The saves are of the usual kind, not compressed.  One that began before the first call
        stays as fast as it is.
        """
        helper = self.root / "usr/lib/libvirt/libvirt_iohelper"
        fresh = helper.with_name("save-rate.new")
        fresh.write_text(str(bytes_per_second))
        fresh.rename(helper.with_name("save-rate"))
        real = helper.with_name("libvirt_iohelper.real")
        if not real.exists():
            shutil.copy(helper, real)
            shutil.copy(HERE / "slow_save.py", helper.with_name("new"))
            helper.with_name("new").rename(helper)
