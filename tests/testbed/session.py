"""A libvirt session daemon of the tests' own, with its guests, in a folder that goes away again.

It needs no system service.  Root runs it as another user: for root itself `qemu:///session` is the
system's daemon.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import commands
from .commands import Argv, Result
from .domains import Domains
from .guests import GuestSpec, domain_xml, file_name
from .leftovers import new_folder, remove_folder, sweep
from .processes import belongs_to, is_alive, kill_all_of, qemu_of, send, wait_gone
from .tiny_guest import tiny_guest
from .waiting import wait_until

PREFIX = "gcs-"
USER = "nobody"
HERE = Path(__file__).parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The names are this short because libvirt puts sockets, limited to 107 bytes, deep below them.
FOLDERS = {
    "HOME": "h",
    "XDG_RUNTIME_DIR": "r",
    "XDG_CONFIG_HOME": "c",
    "XDG_CACHE_HOME": "k",
    "XDG_DATA_HOME": "d",
    "XDG_STATE_HOME": "s",
}
# Without it each session starts a virtlogd, which stays behind.
BASE_CONF = 'stdio_handler = "file"\n'
SLOW_CONF = 'save_image_format = "lzop"\n'


class SessionDaemon(Domains):
    """The daemon; a context manager, which leaves no process and no file behind.

    on_demand: start no daemon, the first client of `qemu:///session` (in `env`) does; it then
    leaves by itself when nothing has used it for two minutes.
    slow_saves: managed saves go through a program whose speed `set_save_rate` decides.
    """

    def __init__(
        self,
        *,
        qemu_conf: str = "",
        libvirtd_conf: str = "",
        slow_saves: bool = False,
        on_demand: bool = False,
    ) -> None:
        """Prepare only; the folder and the daemon come with `with`."""
        super().__init__()
        self._conf = BASE_CONF + (SLOW_CONF if slow_saves else "") + qemu_conf
        self._libvirtd_conf = libvirtd_conf
        self._slow_saves = slow_saves
        self._on_demand = on_demand
        self._children: list[subprocess.Popen[Any]] = []
        self.folder = Path()
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Make the folder and start the daemon."""
        sweep(PREFIX, _dispose)
        self.folder = new_folder(PREFIX)
        atexit.register(self.close)
        try:
            self._prepare()
            if not self._on_demand:
                self.start_daemon()
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
        """End everything that runs in the folder, and remove it."""
        self.close()

    def close(self) -> None:
        """What leaving the context does; may be called again."""
        atexit.unregister(self.close)
        if self.folder.name:
            _dispose(self.folder)
        for child in self._children:
            child.wait(10)
        self._children.clear()

    # -- the folder ------------------------------------------------------------------------------

    def _prepare(self) -> None:
        (self.folder / "bin").mkdir()
        (self.folder / "log").mkdir()
        for name in FOLDERS.values():
            (self.folder / name).mkdir()
        (self.folder / "c/libvirt").mkdir()
        (self.folder / "c/libvirt/qemu.conf").write_text(self._conf)
        if self._libvirtd_conf:
            (self.folder / "c/libvirt/libvirtd.conf").write_text(self._libvirtd_conf)
        if self._slow_saves:
            shutil.copy(HERE / "slow_save.py", self.folder / "bin/lzop")
        self._give_to_user()
        self.env = {key: str(self.folder / name) for key, name in FOLDERS.items()}
        self.env |= {"PATH": f"{self.folder}/bin:{PATH}", "LC_ALL": "C.UTF-8"}

    def _give_to_user(self) -> None:
        if os.geteuid() != 0:
            return
        user = pwd.getpwnam(USER)
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.name != "owner":
                os.chown(path, user.pw_uid, user.pw_gid)

    def set_save_rate(self, bytes_per_second: int) -> None:
        """How fast a managed save is, from now on and also for one under way; 0 is unlimited."""
        fresh = self.folder / "bin/save-rate.new"
        fresh.write_text(str(bytes_per_second))
        fresh.chmod(0o644)
        fresh.rename(self.folder / "bin/save-rate")

    # -- commands --------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """For any user who may open the socket: root too; never starts a daemon."""
        return f"qemu+unix:///session?socket={self.socket_path}"

    @property
    def socket_path(self) -> Path:
        """The daemon's socket."""
        return self.folder / "r/libvirt/libvirt-sock"

    def _as_user(self, options: dict[str, Any]) -> dict[str, Any]:
        options = {"env": self.env, "cwd": self.folder, **options}
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return options

    def run(self, argv: Argv, check: bool = True, timeout: float = 60, **options: Any) -> Result:
        """Run a command as the session's user, in its environment."""
        return commands.run(argv, check=check, timeout=timeout, **self._as_user(options))

    def popen(self, argv: Argv, **options: Any) -> subprocess.Popen[Any]:
        """Start a command as the session's user; it is ended with the session at the latest."""
        child = subprocess.Popen(argv, **self._as_user(options))
        self._children.append(child)
        return child

    def virsh(self, *args: str, timeout: float = 120) -> str:
        """What virsh prints on this daemon; CommandError if it fails."""
        return self.run(["virsh", "-q", "-c", self.uri, *args], timeout=timeout).stdout

    # -- the daemon ------------------------------------------------------------------------------

    def start_daemon(self) -> None:
        """Start the daemon and wait until it answers; it stays until it is ended."""
        with (self.folder / "log/libvirtd.log").open("ab") as log:
            self.popen(
                ["libvirtd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, 30, f"answer on {self.socket_path}")

    def _answers(self) -> bool:
        child = self._children[-1]
        if child.poll() is not None:
            log = (self.folder / "log/libvirtd.log").read_text(errors="replace")
            raise RuntimeError(f"libvirtd ended with status {child.returncode}: {log}")
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(str(self.socket_path))
            return True
        return False

    def daemon_pid(self) -> int:
        """The daemon's process id; ProcessLookupError if none runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "r/libvirt/libvirtd.pid").read_text())
            if self._is_mine(pid):
                return pid
        raise ProcessLookupError("no daemon runs")

    def runs(self) -> bool:
        """Whether there is a daemon."""
        try:
            self.daemon_pid()
        except ProcessLookupError:
            return False
        return True

    def _is_mine(self, pid: int) -> bool:
        return belongs_to(pid, self.folder) and is_alive(pid)

    def kill_daemon(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon, by default without warning; its guests run on."""
        pid = self.daemon_pid()
        send(pid, number, self._is_mine)
        wait_gone(pid, 30)
        for child in self._children:
            child.poll()

    def restart_daemon(self) -> None:
        """End the daemon in good order and start it again."""
        self.kill_daemon(signal.SIGTERM)
        self.start_daemon()

    # -- guests ----------------------------------------------------------------------------------

    def console(self, name: str) -> Path:
        """The file to which the guest's console is written."""
        return self.folder / "log" / file_name(name, ".console")

    def _write_xml(self, spec: GuestSpec) -> str:
        path = self.folder / "log" / file_name(spec.name, ".xml")
        path.write_text(domain_xml(spec, tiny_guest(), self.console(spec.name)), "utf-8")
        path.chmod(0o644)
        return str(path)

    def qemu_pid(self, name: str) -> int:
        """The process id of the guest's QEMU."""
        return qemu_of(self.folder, self.id_of(name))


def _dispose(folder: Path) -> None:
    kill_all_of(folder)
    remove_folder(folder)
