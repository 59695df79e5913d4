"""Real hosts to be measured from outside: their guests' processes, and libvirt's word on each."""

from __future__ import annotations

import os
import re
import selectors
import time
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.host import Host
from tests.testbed.processes import read_proc
from tests.testbed.waiting import wait_until

#: Every so many seconds the files in which libvirt keeps its guests' states are looked at.
LOOK_SECONDS = 0.02
STATUS = re.compile(rb"<domstatus state='(\w+)'")


class QemuProcesses:
    """Handles on the processes of a host's guests: they tell when each ends, to the moment."""

    def __init__(self, host: Host) -> None:
        """Take a handle on each that runs now."""
        self._handles = [os.pidfd_open(pid) for pid in qemu_pids(host)]

    def __len__(self) -> int:
        return len(self._handles)

    def wait_gone(self, timeout: float) -> float:
        """Wait until all have ended; the moment of the last end, by time.monotonic()."""
        deadline = time.monotonic() + timeout
        last = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for handle in self._handles:
                selector.register(handle, selectors.EVENT_READ)
            while selector.get_map():
                ended = selector.select(max(0.0, deadline - time.monotonic()))
                last = time.monotonic()
                if not ended:
                    raise TimeoutError(f"{len(selector.get_map())} guests are still up")
                for key, _ in ended:
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
        self._handles.clear()
        return last


def qemu_pids(host: Host) -> list[int]:
    """The guests' processes, as this machine counts them."""
    lists = host.disk.group.path.rglob("cgroup.procs")
    pids = [int(pid) for path in lists for pid in path.read_text().split()]
    return [pid for pid in pids if read_proc(pid, "comm").startswith(b"qemu")]


def wait_all_running(host: Host, names: Sequence[str], timeout: float) -> float:
    """Wait until libvirt has every guest down as running; the moment, by time.monotonic().

    By the files in which libvirt keeps the states: to ask for them would be work for its daemon,
    which is busy with what is being measured.
    """
    files = [host.path(f"/run/libvirt/qemu/{name}.xml") for name in names]
    deadline = time.monotonic() + timeout
    while not all(state_in(path) == b"running" for path in files):
        if time.monotonic() > deadline:
            late = [path.stem for path in files if state_in(path) != b"running"]
            raise TimeoutError(f"not running after {timeout:g} s: {', '.join(late)}")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()


def state_in(path: Path) -> bytes:
    """The guest's state by libvirt's file; empty where there is no file, or none that is whole."""
    try:
        found = STATUS.search(path.read_bytes())
    except OSError:
        return b""
    return found[1] if found else b""


def main_pid(host: Host, unit: str) -> int:
    """The unit's main process, as the host counts."""
    argv = ["systemctl", "show", "--value", "--property=MainPID", unit]
    wait_until(lambda: host.run(argv).stdout.strip() != "0", 30, f"process of {unit}")
    return int(host.run(argv).stdout)
