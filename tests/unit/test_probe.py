"""Connecting to guests: from this process, and by way of the unit that may."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.cli.main import main
from guestctl.host import probe
from guestctl.host.probe import HostProbe, Question, asked, connect, question
from guestctl.service.probe import AT_A_TIME, Prober

T = TypeVar("T")
HERE = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    """One that accepts."""
    with socket.create_server((HERE, 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """One that refuses."""
    with socket.create_server((HERE, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def any_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests have no guest but this host."""
    monkeypatch.setattr(probe, "is_some_guests", lambda _: True)


# The connection


def test_a_port_accepts_or_refuses(port: int, closed_port: int) -> None:
    assert asyncio.run(connect(Question(HERE, port, 1.0))) == ""
    assert asyncio.run(connect(Question(HERE, closed_port, 1.0))) == "Connection refused"


def test_where_nobody_answers_it_is_given_up() -> None:
    with socket.socket() as full:
        full.bind((HERE, 0))
        full.listen(0)
        taken = [socket.socket() for _ in range(3)]
        for one in taken:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        why = asyncio.run(connect(Question(HERE, full.getsockname()[1], 0.2)))
        for one in taken:
            one.close()
    assert why == "no answer within 0.2 s"


# Questions

guests_addresses = st.ip_addresses().filter(probe.is_some_guests).map(str)
questions = st.builds(
    Question, guests_addresses, st.integers(1, 65535), st.floats(0.01, probe.MOST_SECONDS)
)


@given(questions)
def test_a_question_is_read_as_it_was_asked(what: Question) -> None:
    line = asked(what)
    assert len(line) < probe.LONGEST
    assert question(line.decode()) == what


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(" ".join))
def test_anything_else_is_refused(line: str) -> None:
    with contextlib.suppress(ValueError):
        what = question(line)
        assert 1 <= what.port <= 65535
        assert 0 < what.limit <= probe.MOST_SECONDS


@pytest.mark.parametrize(
    "line",
    [
        "127.0.0.1 22 1",
        "::1 22 1",
        "::ffff:127.0.0.1 22 1",
        "169.254.169.254 80 1",
        "fe80::1%eth0 22 1",
        "224.0.0.1 22 1",
        "0.0.0.0 22 1",
        "db.example 22 1",
        "10.0.0.1 0 1",
        "10.0.0.1 65536 1",
        "10.0.0.1 22 0",
        "10.0.0.1 22 nan",
        "10.0.0.1 22 inf",
        "10.0.0.1 22 11",
        "10.0.0.1 22",
        "",
    ],
)
def test_what_is_not_for_a_guest_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        question(line)


# The unit


@contextlib.asynccontextmanager
async def unit(path: Path) -> AsyncIterator[HostProbe]:
    """The unit's process, in this one."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(128)
        listening.setblocking(False)
        serving = asyncio.create_task(Prober().serve(listening, idle=60))
        try:
            yield HostProbe(path)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


def with_unit(path: Path, work: Callable[[HostProbe], Awaitable[T]]) -> T:
    async def main() -> T:
        async with unit(path) as asks:
            return await work(asks)

    return asyncio.run(main())


def test_the_unit_is_asked(
    tmp_path: Path, port: int, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_address(monkeypatch)

    async def work(asks: HostProbe) -> None:
        assert await asks.connects(HERE, port, 1.0) == ""
        assert await asks.connects(HERE, closed_port, 1.0) != ""

    with_unit(tmp_path / "probe", work)


def test_the_unit_connects_to_guests_alone(tmp_path: Path, port: int) -> None:
    async def work(asks: HostProbe) -> str:
        return await asks.connects(HERE, port, 1.0)

    said = with_unit(tmp_path / "probe", work)
    assert said == "cannot be asked: 127.0.0.1 is no guest's"


def test_many_are_answered_and_none_is_forgotten(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_address(monkeypatch)

    async def work(asks: HostProbe) -> list[str]:
        many = [asks.connects(HERE, port, 1.0) for _ in range(AT_A_TIME + 8)]
        return await asyncio.gather(*many)

    assert with_unit(tmp_path / "probe", work) == [""] * (AT_A_TIME + 8)


def test_who_says_nothing_or_nonsense_keeps_nobody(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_address(monkeypatch)

    async def work(asks: HostProbe) -> None:
        path = tmp_path / "probe"
        silent = [await asyncio.open_unix_connection(path) for _ in range(AT_A_TIME - 1)]
        reader, nonsense = await asyncio.open_unix_connection(path)
        nonsense.write(b"x" * 100_000)
        assert (await reader.readline()).startswith(b"cannot be asked: ")
        assert await asks.connects(HERE, port, 1.0) == ""
        for _, writer in [*silent, (reader, nonsense)]:
            writer.close()

    with_unit(tmp_path / "probe", work)


def test_without_a_question_it_ends(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "probe"))
            listening.listen()
            listening.setblocking(False)
            async with asyncio.timeout(5):
                await Prober().serve(listening, idle=0.05)

    asyncio.run(main())


def test_the_process_takes_the_socket_that_systemd_hands_over(tmp_path: Path) -> None:
    path = tmp_path / "probe"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        code = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
            " sys.argv = ['guestctl', 'unit', 'probe'];"
            " from guestctl.cli.main import entry; entry()"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"LISTEN_FDS": "1"},
            preexec_fn=lambda: os.dup2(listening.fileno(), 3),
            pass_fds=[3],
        )
        try:
            answer = asyncio.run(HostProbe(path).connects("127.0.0.1", 22, 1.0))
        finally:
            child.terminate()
            child.wait(10)
    assert answer == "cannot be asked: 127.0.0.1 is no guest's"


def test_without_a_socket_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "probe"]) == 2
    assert "no socket was handed over" in capsys.readouterr().err


# Whoever asks


def test_without_the_unit_the_connection_is_tried_from_here(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_address(monkeypatch)
    asks = HostProbe(tmp_path / "absent")
    assert asyncio.run(asks.connects(HERE, port, 1.0)) == ""


def test_where_neither_works_both_are_named(
    tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_address(monkeypatch)
    monkeypatch.setattr(probe, "SOCKET", tmp_path / "absent")
    why = asyncio.run(HostProbe(probe.SOCKET).connects(HERE, closed_port, 1.0))
    assert why.endswith("; guestctl-probe.socket cannot be used: No such file or directory")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "guestctl-probe.service gave no answer"),
        (b"x" * 5000 + b"\n", "guestctl-probe.service said too much"),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_a_unit_that_fails_is_no_fault_of_the_run(tmp_path: Path, answer: bytes, why: str) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async def main() -> str:
        async with await asyncio.start_unix_server(reply, tmp_path / "probe"):
            return await HostProbe(tmp_path / "probe").connects("10.0.0.1", 22, 1.0)

    assert asyncio.run(main()) == why


def test_a_unit_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "START_LIMIT", 0.2)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "probe"))
        listening.listen()
        why = asyncio.run(HostProbe(tmp_path / "probe").connects("10.0.0.1", 22, 0.1))
    assert why.endswith("did not answer within 0.3 s")
