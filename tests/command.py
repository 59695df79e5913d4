"""The guestctl command as the tests and the demo run it: as the session's user, like on a host."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.testbed.session import SessionDaemon

PROJECT = Path(__file__).parent.parent
SYSTEM_PYTHON = "/usr/bin/python3"


def install(daemon: SessionDaemon) -> None:
    """Put guestctl where the session's unprivileged user can read it, as on a host."""
    library = daemon.folder / "lib"
    shutil.copytree(PROJECT / "guestctl", library / "guestctl")
    subprocess.run(["chmod", "-R", "a+rX", str(library)], check=True)
    daemon.env["PYTHONPATH"] = str(library)


class Guestctl:
    """The command, run as the session's user on its guests, with a state folder of its own."""

    def __init__(self, daemon: SessionDaemon, state: Path, config: str = "") -> None:
        self.daemon = daemon
        self.state = state
        self.config = state / "guestctl.toml"
        self.configure(config)

    def configure(self, text: str) -> None:
        """Use this configuration from now on."""
        self.config.write_text(text)
        self.config.chmod(0o644)

    def argv(self, verb: str, *arguments: str) -> list[str]:
        """The command line, for `popen`."""
        options = ["-c", "qemu:///session", "--config", str(self.config)]
        # The ledger's second copy is as much the command's own as the ledger.
        state = [f"XDG_STATE_HOME={self.state}", f"XDG_CACHE_HOME={self.state}/cache"]
        return ["env", *state, SYSTEM_PYTHON, "-m", "guestctl", verb, *options, *arguments]

    def run(
        self, verb: str, *arguments: str, status: int = 0, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, and hold it to its exit status."""
        result = self.daemon.run(self.argv(verb, *arguments), check=False, timeout=timeout)
        assert result.returncode == status, f"{result.stdout}\n{result.stderr}"
        return result

    def json(self, verb: str, *arguments: str, status: int = 0, timeout: float = 120) -> Any:
        """What the verb prints with --json."""
        result = self.run(verb, "--json", *arguments, status=status, timeout=timeout)
        return json.loads(result.stdout)
