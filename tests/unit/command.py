"""The guestctl command as a process of its own, never as root.

Root's ledger is the host's, in /var/lib/guestctl, which no test may touch.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

#: libvirt's test driver: each process has its own, with one running guest named "test".
TEST = "test:///default"
TEST_UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
LIMIT = 30.0
#: The virtual environment may be out of another user's reach; what it is made from is not.
#: -S: what other packages do at each start of Python is none of guestctl's, and takes longer.
PYTHON = (str(Path(sys.executable).resolve()), "-S")
PACKAGES = [folder for folder in sys.path if folder.endswith("-packages")]

Result = subprocess.CompletedProcess[str]


class Command:
    """Runs guestctl with a home, and so a ledger, of its own."""

    def __init__(self, library: Path, home: Path) -> None:
        self.home = home
        self.state = home / "state" / "guestctl"
        self.ledger = self.state / "ledger.db"
        self.run_folder = home / "guestctl"
        self._library = library

    def options(self, env: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """What subprocess.Popen needs to run something as the command's user."""
        chosen: dict[str, Any] = {"cwd": self.home, "env": {**self._env(), **env}}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            chosen |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return chosen

    def _env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_RUNTIME_DIR": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(self._library), *PACKAGES]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
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
        result = self._run(self.argv(*arguments), env)
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

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        """What the verb prints with --json, on the test driver."""
        verb, *rest = arguments
        return json.loads(self.run(verb, "-c", TEST, "--json", *rest, status=status).stdout)
