"""One run at a time, and who has the lock."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guestctl.host import locks
from guestctl.host.locks import HostRunLock
from guestctl.model.ports import LockHeld
from tests.sim import loop as virtual

_HOLD = """
import asyncio, sys
from pathlib import Path
from guestctl.host.locks import HostRunLock
async def main():
    async with HostRunLock(Path(sys.argv[1]), print).hold("guestctl shutdown --preserve", 0):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(main())
"""
Holder = subprocess.Popen[str]


@contextmanager
def another_process(folder: Path) -> Iterator[Holder]:
    """A process that has the lock until its stdin is closed or it is killed."""
    argv = [sys.executable, "-c", _HOLD, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


@contextmanager
def lock(folder: Path, what: str = "us") -> Iterator[list[str]]:
    """Hold the lock; what was complained of."""
    trouble: list[str] = []
    holding = HostRunLock(folder, trouble.append).hold(what, 0.0)
    with asyncio.Runner() as runner:
        runner.run(holding.__aenter__())
        try:
            yield trouble
        finally:
            runner.run(holding.__aexit__(None, None, None))


def refusal(folder: Path) -> str:
    """What whoever comes second is told."""
    with pytest.raises(LockHeld) as caught, lock(folder):
        pass
    return str(caught.value)


def is_held(folder: Path) -> bool:
    """Whether a run is under way."""
    return HostRunLock(folder, print).is_held()


def is_free(folder: Path) -> bool:
    """Whether the lock can be had."""
    with lock(folder) as trouble:
        return not trouble


def test_a_second_process_is_refused_and_told_who_has_the_lock(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        said = refusal(tmp_path)
    assert "another run has the lock: guestctl shutdown --preserve" in said
    assert f"(process {holder.pid}, since " in said


def test_a_second_run_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with lock(tmp_path, what="the first"):
        assert "the first" in refusal(tmp_path)
    assert is_free(tmp_path)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        holder.kill()
        holder.wait()
        assert is_free(tmp_path)


def test_a_run_that_fails_leaves_the_lock_free(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="failed"), lock(tmp_path):
        raise ValueError("failed")
    assert is_free(tmp_path)


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    with lock(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert is_free(tmp_path)
        child.kill()


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal waits for two looks at the lock."""
    monkeypatch.setattr(locks, "_POLL", 0.01)


def wait_for(folder: Path, limit: float, happens: dict[float, Callable[[], None]]) -> float:
    """In virtual time: wait for the lock; how many seconds that took, if it was had."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        for when, what in happens.items():
            loop.call_at(when, what)
        async with HostRunLock(folder, print).hold("us", limit):
            return loop.time()

    return virtual.run(main())


def test_a_unit_waits_until_the_other_run_is_over(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:

        def end() -> None:
            holder.kill()
            holder.wait()

        assert 59.9 < wait_for(tmp_path, 1500, {60.0: end}) < 61


def test_waiting_ends_at_its_limit(tmp_path: Path) -> None:
    with another_process(tmp_path), pytest.raises(LockHeld):
        wait_for(tmp_path, 1500, {})


def test_without_a_folder_one_is_made(tmp_path: Path) -> None:
    with lock(tmp_path / "absent/too") as trouble:
        assert trouble == []
        assert is_held(tmp_path / "absent/too")


def test_nobody_else_may_open_it(tmp_path: Path) -> None:
    """Whoever can may lock it as well, and keep the host's run waiting."""
    with lock(tmp_path):
        assert (tmp_path / "run.lock").stat().st_mode & 0o077 == 0


def test_a_file_in_place_of_the_folder_does_not_stop_the_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with lock(file) as trouble:
        assert "going on without a lock" in trouble[0]
    assert file.read_text() == "kept"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO])
def test_a_file_system_that_cannot_lock_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock(tmp_path) as trouble:
        assert "going on without a lock" in trouble[0]


def test_a_holder_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    """Nor does it weaken the lock: a folder in the file's place stands for a full disk."""
    (tmp_path / "run.json").mkdir()
    with lock(tmp_path) as trouble:
        assert trouble == []
        assert refusal(tmp_path).endswith("its name could not be read")


GARBAGE = [
    "",
    "null",
    "[]",
    '"text"',
    "{}",
    '{"what": "x", "pid": 1}',
    '{"what": "x", "pid": 1, "since": "yesterday"}',
    '{"what": "x", "pid": 1, "since": 1e300}',
    '{"what": "x", "pid": 1, "since": Infinity}',
    '{"what": "x", "pid": 1, "since": NaN}',
    "[" * 100_000,
    "\x00" * 100,
]


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: repr(text[:50]))
def test_a_garbled_holder_is_no_error(tmp_path: Path, text: str) -> None:
    with lock(tmp_path):
        (tmp_path / "run.json").write_text(text)
        assert refusal(tmp_path).endswith("its name could not be read")


def test_a_holder_that_is_no_text_is_no_error(tmp_path: Path) -> None:
    with lock(tmp_path):
        (tmp_path / "run.json").write_bytes(b"\xff\xfe{")
        assert "another run has the lock" in refusal(tmp_path)


def test_any_command_line_can_be_named(tmp_path: Path) -> None:
    """What was not UTF-8 on the command line as well."""
    with lock(tmp_path, what="guestctl start g\udcffst ä"):
        assert json.loads((tmp_path / "run.json").read_text())["what"].endswith("g\udcffst ä")
        assert "guestctl start" in refusal(tmp_path)


# Whether a run is under way


def test_a_run_is_under_way_as_long_as_the_lock_is_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with another_process(tmp_path):
        assert is_held(tmp_path)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_whoever_asks_does_not_keep_the_lock(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert is_free(tmp_path)


def test_without_a_folder_no_run_is_under_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not is_held(tmp_path / "absent")
    assert not is_held(tmp_path / "file")


def test_where_nothing_can_be_locked_no_run_is_known_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert not is_held(tmp_path)


# A run of this very process


def test_who_asks_in_the_same_process_has_the_holder_cancelled(tmp_path: Path) -> None:
    """SIGTERM would be the end of the service that takes the guests to safety."""
    holding = HostRunLock(tmp_path, print)
    ended: list[float] = []

    async def hold() -> None:
        try:
            async with holding.hold("the first", 0.0):
                await asyncio.sleep(1e6)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main() -> float:
        first = asyncio.create_task(hold())
        await asyncio.sleep(1)
        async with holding.hold("the host's end", 30.0, ask=True):
            assert first.done()
            assert holding._own is asyncio.current_task()
            return asyncio.get_running_loop().time()

    had = virtual.run(main())
    assert 30 < ended[0] <= had < 32


def test_one_that_does_not_end_is_gone_on_beside(tmp_path: Path) -> None:
    trouble: list[str] = []
    holding = HostRunLock(tmp_path, trouble.append)

    async def hold() -> None:
        async with holding.hold("the first", 0.0):
            while True:
                try:
                    await asyncio.sleep(90)
                except asyncio.CancelledError:
                    continue
                return

    async def main() -> float:
        first = asyncio.create_task(hold())
        await asyncio.sleep(1)
        async with holding.hold("the host's end", 30.0, ask=True):
            gone_on = asyncio.get_running_loop().time()
            await first
            assert holding._own is asyncio.current_task()
            return gone_on

    assert 50 < virtual.run(main()) < 53
    assert "going on beside it" in trouble[-1]


# A run that another may call off


def test_one_that_says_so_is_told_to_end_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Path] = []
    monkeypatch.setattr(locks, "_signal_holder", told.append)
    with another_process(tmp_path) as holder:
        (tmp_path / "run.json").write_text(json.dumps(_says("shed: root", holder)))

        async def main() -> None:
            asyncio.get_running_loop().call_later(3, holder.kill)
            async with HostRunLock(tmp_path, print).hold("us", 0.0, ends="shed: "):
                assert told == [tmp_path]

        asyncio.run(main())


@pytest.mark.parametrize("what", ["the service, for shed: root", "root: guestctl shed"])
def test_no_other_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    told: list[Path] = []
    monkeypatch.setattr(locks, "_signal_holder", told.append)
    with lock(tmp_path, what), pytest.raises(LockHeld, match="another run has the lock"):
        asyncio.run(HostRunLock(tmp_path, print).hold("us", 0.0, ends="shed: ").__aenter__())
    assert told == []


def test_one_that_does_not_end_then_is_not_gone_on_beside(tmp_path: Path) -> None:
    with lock(tmp_path, "shed: root"), pytest.raises(LockHeld, match="another run does not end"):
        virtual.run(HostRunLock(tmp_path, print).hold("us", 0.0, ends="shed: ").__aenter__())


def _says(what: str, holder: Holder) -> dict[str, object]:
    return {"pid": holder.pid, "what": what, "since": 0.0}
