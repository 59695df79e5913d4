"""What must survive is on the disk before the call it speaks of, as the kernel sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Guestctl
from tests.testbed.session import SessionDaemon

pytestmark = pytest.mark.guests

WRITES = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg")
SYNCS = ("fsync", "fdatasync")
SYNC_MICROSECONDS = 200_000
WAL = "ledger.db-wal"
#: Numbers of libvirt's remote_protocol.x, which never change.
PROGRAM, VERSION = 0x20008086, 1
MANAGED_SAVE, CREATE_WITH_FLAGS = 182, 196

CALL = re.compile(r"^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.* = (-?\d+)")
#: strace -xx writes strings and file names so.
ESCAPED = re.compile(r"(?:\\x[0-9a-f]{2})+")


def rpc(procedure: int) -> bytes:
    """What the header of a call of libvirt's protocol holds after its length."""
    return b"".join(number.to_bytes(4, "big") for number in (PROGRAM, VERSION, procedure))


@dataclass(frozen=True)
class Call:
    """A system call that has begun (a write) or ended well (a sync)."""

    name: str
    file: str
    data: bytes


def calls(trace: Path) -> Iterator[Call]:
    """The writes and syncs of a trace: a write counts from its begin, a sync from its end."""
    open_syncs: dict[str, Call] = {}
    for line in trace.read_text().splitlines():
        if found := CALL.match(line):
            thread, name, file, rest = found.groups()
            call = Call(name, _bytes(file).decode(), _bytes(rest))
            if name in WRITES or " = 0" in rest:
                yield call
            elif name in SYNCS and rest.endswith("<unfinished ...>"):
                open_syncs[thread] = call
        elif (found := RESUMED.match(line)) and found[1] in open_syncs:
            call = open_syncs.pop(found[1])
            if found[3] == "0":
                yield call


def _bytes(text: str) -> bytes:
    return b"".join(bytes.fromhex(part.replace("\\x", "")) for part in ESCAPED.findall(text))


def traced(daemon: SessionDaemon, argv: list[str]) -> list[Call]:
    """Run the command under strace, on a disk that is slow to sync: whoever must wait, waits."""
    trace = daemon.folder / "s/trace"
    which = ",".join(WRITES + SYNCS)
    slow = f"inject={','.join(SYNCS)}:delay_enter={SYNC_MICROSECONDS}"
    daemon.run(
        ["strace", "-f", "-y", "-xx", "-s", "9000", "-e", which, "-e", slow, "-o", trace, *argv]
    )
    return list(calls(trace))


def position(found: list[Call], what: str, *, of: bytes, in_file: str = "") -> int:
    """Where the first call with these bytes stands in the trace."""
    places = [n for n, call in enumerate(found) if of in call.data and in_file in call.file]
    assert places, f"no {what} in {len(found)} calls"
    return places[0]


def assert_synced_before(found: list[Call], row: bytes, procedure: int) -> None:
    """The ledger's WAL holds this row, and no write that is not synced, when libvirt is asked."""
    written = position(found, "row of the step", of=row, in_file=WAL)
    asked = position(found, f"call of procedure {procedure}", of=rpc(procedure))
    assert written < asked
    synced = [call.name in SYNCS for call in found[written:asked] if call.file.endswith(WAL)]
    assert synced[-1], "the WAL was written and not synced when libvirt was asked"


def row(daemon: SessionDaemon, name: str, step: str) -> bytes:
    """A step's row as SQLite stores it: one column behind the other."""
    return f"{daemon.id_of(name)}{name}{step}".encode()


def test_step_is_in_the_ledger_before_its_call(
    daemon: SessionDaemon, web: str, guestctl: Guestctl
) -> None:
    down = traced(daemon, guestctl.argv("shutdown", "--preserve", web))
    assert_synced_before(down, row(daemon, web, "save"), MANAGED_SAVE)
    up = traced(daemon, guestctl.argv("start", web))
    assert_synced_before(up, row(daemon, web, "resume"), CREATE_WITH_FLAGS)
