"""A file system under the state folder that answers nothing any more (fsfreeze): runs go on.

Calls on such a file system cannot be ended, not even by SIGKILL (state D in ps): whoever makes
one in the main thread is lost.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.command import TEST, Command
from tests.unit.prepared import give, prepare

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and freeze a file system"),
    pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="there are no loop devices"),
]
#: What a run may take in all: the ledger is waited for once.
LIMIT = 20.0 + 15.0


def sh(*argv: str | Path) -> None:
    """Run it, held to its success."""
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture
def state(command: Command, tmp_path: Path) -> Iterator[Path]:
    """The state folder, on a file system of its own, thawed in the end."""
    image = tmp_path / "state.img"
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    sh("mkfs.ext4", "-q", image)
    command.state.mkdir(parents=True)
    sh("mount", "-o", "loop", image, command.state)
    try:
        prepare(command)
        give(command)
        yield command.state
    finally:
        sh("umount", command.state)


def frozen(command: Command, state: Path, *arguments: str) -> tuple[float, str]:
    """What a command says while the file system is frozen, and after how long."""
    argv, options = command.argv(*arguments, "-c", TEST), command.options()
    sh("fsfreeze", "--freeze", state)
    try:
        begun = time.monotonic()
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            while "answer" not in said or "saved" not in said:
                line = process.stdout.readline()
                if not line or time.monotonic() - begun > LIMIT:
                    break
                said += line
            took = time.monotonic() - begun
            sh("fsfreeze", "--unfreeze", state)
        return took, said
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", state], capture_output=True, check=False)


@pytest.mark.thorough  # the ledger is waited for, 20 s
def test_guests_are_taken_to_safety(command: Command, state: Path) -> None:
    took, said = frozen(command, state, "shutdown", "--preserve")
    assert took < LIMIT
    assert "did not answer" in said
    assert "saved" in said


@pytest.mark.thorough  # the service answers SIGTERM after 10 s
def test_a_reload_ends(command: Command, state: Path) -> None:
    """The service keeps a copy of good files there, and nobody waits for that."""
    path = command.home / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        path.chmod(0o777)
        heard.settimeout(30)
        options = command.options({"NOTIFY_SOCKET": str(path)})
        argv = command.argv("daemon", "-c", TEST)
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL, **options) as service:
            try:
                wait_for(heard, b"READY=1")
                sh("fsfreeze", "--freeze", state)
                begun = time.monotonic()
                service.send_signal(signal.SIGHUP)
                wait_for(heard, b"RELOADING=1")
                wait_for(heard, b"READY=1")
                assert time.monotonic() - begun < 5
            finally:
                subprocess.run(["fsfreeze", "--unfreeze", state], capture_output=True, check=False)
                service.terminate()


def wait_for(heard: socket.socket, line: bytes) -> None:
    """What systemd would hear."""
    while line not in heard.recv(4096).splitlines():
        pass
