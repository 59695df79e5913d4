"""How property tests run here, and the command line as an unprivileged user."""

from __future__ import annotations

import compileall
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.command import Command

PROJECT = Path(__file__).parent.parent.parent

# Reproducible, so that a red run says something about the change and not about the dice; no
# time limit for one example, since a busy machine is no fault of the code.
settings.register_profile(
    "unit",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for property tests, which cannot have one for each example."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """A folder with guestctl in it that any user can read, as installed on a host."""
    with tempfile.TemporaryDirectory(prefix="gcu-") as name:
        folder = Path(name)
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "guestctl", folder / "lib" / "guestctl", ignore=skip)
        # Its readers cannot write there, and would compile it anew each time.
        compileall.compile_dir(folder / "lib", quiet=1)
        subprocess.run(["chmod", "-R", "a+rX", name], check=True)
        yield folder


@pytest.fixture
def command(public_folder: Path) -> Iterator[Command]:
    """The guestctl command with a state folder of its own."""
    with tempfile.TemporaryDirectory(prefix="user-", dir=public_folder) as name:
        home = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(home, user.pw_uid, user.pw_gid)
        yield Command(public_folder / "lib", home)
