"""polkit's agent beside a command: when it is there, and what it leaves behind."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.host import polkit_agent
from guestctl.host.polkit_agent import agent_at_terminal
from tests.unit.private_bus import until
from tests.unit.running import run_async

#: Says that it is there by closing the descriptor, as the real one does.
AGENT = """#!/bin/sh
echo $$ > {folder}/pid
echo "$*" > {folder}/arguments
eval "exec $4>&-"
exec sleep 60
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the agent lies, and says how it was started; we are a user."""
    install(tmp_path, AGENT.format(folder=tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return tmp_path


def install(folder: Path, script: str) -> None:
    (folder / "pkttyagent").write_text(script)
    (folder / "pkttyagent").chmod(0o755)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The standard input is one."""
    ours, theirs = os.openpty()
    with open(theirs, closefd=True) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield theirs
    os.close(ours)


async def beside(folder: Path) -> str:
    """How the agent was started, by the time that the command goes on; empty: it was not."""
    async with agent_at_terminal():
        file = folder / "arguments"
        return file.read_text().strip() if file.exists() else ""


def has_ended(folder: Path) -> bool:
    return not Path("/proc", (folder / "pid").read_text().strip()).exists()


@pytest.mark.usefixtures("terminal")
def test_it_is_there_before_the_command_goes_on_and_ends_with_it(folder: Path) -> None:
    said = run_async(beside(folder)).split()
    assert said[:3] == ["--process", str(os.getpid()), "--notify-fd"]
    assert said[4:] == ["--fallback"]
    assert has_ended(folder)


@pytest.mark.usefixtures("terminal")
def test_root_needs_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert run_async(beside(folder)) == ""


def test_none_without_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert run_async(beside(folder)) == ""


@pytest.mark.usefixtures("terminal")
def test_a_host_without_it_is_no_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pkttyagent").unlink()
    monkeypatch.setenv("PATH", str(folder))
    assert run_async(beside(folder)) == ""
    install(folder, AGENT.format(folder=folder))  # but nothing that it is started by
    assert run_async(beside(folder)) == ""


@pytest.mark.usefixtures("terminal")
def test_one_that_does_not_say_that_it_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(folder, f"#!/bin/sh\necho $$ > {folder}/pid\nexec sleep 60\n")
    monkeypatch.setattr(polkit_agent, "_READY_LIMIT", 0.02)
    pid = folder / "pid"

    async def work() -> None:
        async with agent_at_terminal():
            await until(lambda: pid.exists() and pid.read_text().endswith("\n"))

    run_async(work())
    assert has_ended(folder)


def test_the_terminal_is_left_as_it_was(folder: Path, terminal: int) -> None:
    async def work() -> None:
        async with agent_at_terminal():
            mode = termios.tcgetattr(terminal)
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSANOW, mode)

    run_async(work())
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
