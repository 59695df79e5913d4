"""The guestctl command as a process of its own, never as root.

Root's ledger is the host's, in /var/lib/guestctl, which no test may touch.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

#: libvirt's test driver: each process has its own, with one running guest named "test".
TEST = "test:///default"
TEST_UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
LIMIT = 30.0
#: The virtual environment may be out of another user's reach; what it is made from is not.
#: -S: what other packages do at each start of Python is none of guestctl's, and takes longer.
PYTHON = (str(Path(sys.executable).resolve()), "-S")
PACKAGES = [folder for folder in sys.path if folder.endswith("-packages")]

#: What an interpreter looks at as it begins: a fork of another would go by the other's.
OF_THE_INTERPRETER = ("LC_", "LANG", "PYTHON")

Result = subprocess.CompletedProcess[str]


class Command:
    """Runs guestctl with a home, and so a ledger, of its own."""

    def __init__(self, library: Path, home: Path, server: Path) -> None:
        """server: the socket of tests.unit.command_server."""
        self.home = home
        self._server = server
        self.state = home / "state" / "guestctl"
        self.ledger = self.state / "ledger.db"
        self.run_folder = home / "guestctl"
        self._library = library

    def options(self, env: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """What subprocess.Popen needs to run something as the command's user."""
        return {"cwd": self.home, "env": {**self._env(), **env}, **another_user()}

    def _env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_RUNTIME_DIR": str(self.home),
            **environment(self._library),
        }

    def argv(self, *arguments: str | Path) -> list[str]:
        """The command line."""
        return [*PYTHON, "-m", "guestctl", *map(str, arguments)]

    def python(self, *arguments: str) -> Result:
        """Run the interpreter as the command's user."""
        return self._run([*PYTHON, *arguments], {})

    def run(
        self,
        *arguments: str | Path,
        status: int = 0,
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Result:
        """Run to the end, held to its exit status; a traceback is never an answer."""
        if any(name.startswith(OF_THE_INTERPRETER) for name in env):
            result = self._run(self.argv(*arguments), env)
        else:
            result = self._fork(list(map(str, arguments)), {**self._env(), **env})
        said = f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr, said
        assert result.returncode == status, said
        return result

    def _run(self, argv: list[str], env: Mapping[str, str]) -> Result:
        return subprocess.run(
            argv,
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
            **self.options(env),
        )

    def _fork(self, argv: list[str], env: dict[str, str]) -> Result:
        """The same through the server."""
        order = {"argv": argv, "cwd": str(self.home), "env": env}
        out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
        with open(out, "r+b") as stdout, open(err, "r+b") as stderr, self._connected() as conn:
            socket.send_fds(conn, [json.dumps(order).encode()], [out, err])
            status = int(conn.recv(16))
            said = [_whole(stream) for stream in (stdout, stderr)]
        return Result(self.argv(*argv), status, *said)

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(LIMIT)
            conn.connect(str(self._server))
            yield conn

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        """What the verb prints with --json, on the test driver."""
        verb, *rest = arguments
        return json.loads(self.run(verb, "-c", TEST, "--json", *rest, status=status).stdout)


def another_user() -> dict[str, Any]:
    """What subprocess.Popen needs, where we are root, to run something as nobody."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def environment(library: Path) -> dict[str, str]:
    """What an interpreter needs to find guestctl in that folder, and no more."""
    return {
        "PYTHONPATH": os.pathsep.join([str(library), *PACKAGES]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
    }


@contextmanager
def command_server(library: Path, folder: Path) -> Iterator[Path]:
    """The socket of a running server; the folder must be one that its user can write to."""
    text, path = Path(__file__).with_name("command_server.py").read_text(), folder / "commands"
    listening, ends = (
        os.pipe()
    )  # it ends once nobody can write there any more, whatever becomes of us
    try:
        subprocess.run(
            [*PYTHON, "-c", text, str(path)],
            check=True,
            stdin=listening,
            cwd=folder,
            env=environment(library),
            timeout=LIMIT,
            **another_user(),
        )
        yield path
    finally:
        os.close(listening)
        os.close(ends)


def _whole(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read().decode()
