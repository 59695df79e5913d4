"""A folder for property tests, a ledger, the command line as another user, a private bus."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guestctl.ledger.file import connect
from guestctl.ledger.ledger import Ledger
from tests.ledgers import clock
from tests.unit.command import Command, another_user, command_server
from tests.unit.prepared import ODD_NODE
from tests.unit.private_bus import PrivateBus, private_bus

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for property tests, which cannot have one for each example."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger in memory."""
    db = connect(None)
    yield Ledger(db, clock())
    db.close()


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


@pytest.fixture(scope="session")
def server(public_folder: Path) -> Iterator[Path]:
    """What runs commands for all tests."""
    with _home(public_folder) as home, command_server(public_folder / "lib", home) as socket:
        yield socket


@pytest.fixture
def command(public_folder: Path, server: Path) -> Iterator[Command]:
    """The guestctl command with a state folder of its own."""
    with _home(public_folder) as home:
        yield Command(public_folder / "lib", home, server)


@contextmanager
def _home(parent: Path) -> Iterator[Path]:
    """A folder of the commands' user."""
    with tempfile.TemporaryDirectory(prefix="user-", dir=parent) as name:
        if another := another_user():
            os.chown(name, another["user"], another["group"])
        yield Path(name)


@pytest.fixture
def node(command: Command) -> str:
    """A connection with oddly named guests: one up, one off, one transient."""
    file = command.home / "node.xml"
    file.write_text(ODD_NODE, "utf-8")
    return f"test://{file}"


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    """A message bus of the test's own."""
    with private_bus() as running:
        yield running
