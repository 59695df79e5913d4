"""What all tests share: which groups this machine can run, and the real guests' daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.prerequisites import missing
from tests.testbed.session import SessionDaemon

PROJECT = Path(__file__).parent.parent
SYSTEM_PYTHON = "/usr/bin/python3"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a group that cannot run here, by name and reason; in CI that is a failure."""
    for group in ("guests", "hosts"):
        if item.get_closest_marker(group) and (reason := missing(group)):
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must run the {group} tests, but: {reason}", pytrace=False)
            pytest.skip(f"{group}: {reason}")


@pytest.fixture(scope="session")
def daemon() -> Iterator[SessionDaemon]:
    """A libvirt session daemon for real guests, with guestctl where its user can read it."""
    with SessionDaemon() as running:
        install(running)
        yield running


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
        state = f"XDG_STATE_HOME={self.state}"
        return ["env", state, SYSTEM_PYTHON, "-m", "guestctl", verb, *options, *arguments]

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


@pytest.fixture
def guestctl(daemon: SessionDaemon) -> Guestctl:
    """The command with a fresh ledger and the default configuration."""
    state = daemon.folder / f"state-{os.urandom(4).hex()}"
    daemon.run(["mkdir", str(state)])
    return Guestctl(daemon, state)
