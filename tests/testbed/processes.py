"""Finding and ending processes so that a reused pid never hits a foreign one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from .waiting import wait_until

PROC = Path("/proc")


def read_proc(pid: int, name: str) -> bytes:
    """A file of /proc/PID, empty when the process has gone or is not ours to look at."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def all_pids() -> Iterator[int]:
    """The pids of all processes that can be seen."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    stat = read_proc(pid, "stat")
    return bool(stat) and stat.rpartition(b")")[2].split()[:1] != [b"Z"]


def belongs_to(pid: int, folder: Path) -> bool:
    """Whether the process was started from inside folder (its environment) or is its QEMU.

    A foreign program that merely names the folder in an argument (tail, an editor) is not one.
    """
    mark = os.fsencode(folder) + b"/"
    if mark in read_proc(pid, "environ"):
        return True
    return read_proc(pid, "comm").startswith(b"qemu") and mark in read_proc(pid, "cmdline")


def processes_of(folder: Path) -> list[int]:
    """The living processes that belong to folder, this one excepted."""
    found = (pid for pid in all_pids() if pid != os.getpid() and belongs_to(pid, folder))
    return [pid for pid in found if is_alive(pid)]


def qemu_of(folder: Path, uuid: str) -> int:
    """The QEMU in that folder of the guest with that uuid; ProcessLookupError if none runs."""
    for pid in processes_of(folder):
        if read_proc(pid, "comm").startswith(b"qemu") and uuid.encode() in read_proc(
            pid, "cmdline"
        ):
            return pid
    raise ProcessLookupError(f"no QEMU runs for {uuid}")


def start_time(pid: int) -> str:
    """The process's start time in clock ticks; with the pid it names one process for ever."""
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return fields[19].decode() if len(fields) > 19 else ""


def send(pid: int, number: signal.Signals, is_mine: Callable[[int], bool]) -> bool:
    """Signal the process if it is the one that is meant; False if it is not or has gone."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Asked with the handle in hand: from here on the pid cannot come to mean another process.
        return is_mine(pid) and _send(handle, number)
    finally:
        os.close(handle)


def _send(handle: int, number: signal.Signals) -> bool:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pid: int, timeout: float = 10) -> None:
    """Wait until the process has ended."""
    wait_until(lambda: not is_alive(pid), timeout, f"end of process {pid}")


def kill_all_of(folder: Path, timeout: float = 20) -> None:
    """SIGKILL everything that belongs to folder, newcomers included, until nothing is left."""
    wait_until(lambda: not _kill_once(folder), timeout, f"end of the processes of {folder}")


def _kill_once(folder: Path) -> list[int]:
    found = processes_of(folder)
    for pid in found:
        send(pid, signal.SIGKILL, lambda number: belongs_to(number, folder))
    return found


def status_field(pid: int, name: str) -> list[str]:
    """The words of one line of /proc/PID/status, none when the process has gone."""
    for line in read_proc(pid, "status").decode(errors="replace").splitlines():
        key, _, rest = line.partition(":")
        if key == name:
            return rest.split()
    return []


def first_process_below(parent: int) -> int | None:
    """The child of `parent` that is the first process of a pid namespace of its own."""
    for pid in all_pids():
        if status_field(pid, "PPid") == [str(parent)]:
            numbers = status_field(pid, "NSpid")
            if len(numbers) > 1 and numbers[-1] == "1":
                return pid
    return None
