"""Which library writes the messages, and that everything about the bus holds with each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guestctl.host import dbus_library
from tests.testbed.cache import BuildError, built, recipe_key

PROJECT = Path(__file__).parent.parent.parent
TESTS = (
    "test_bus",
    "test_bus_fds",
    "test_bus_hostile",
    "test_bus_server",
    "test_bus_server_hostile",
    "test_bus_server_life",
    "test_bus_server_unchecked",
    "test_bus_signals",
    "test_bus_slow",
    "test_bus_unread",
)
#: What Debian 12, 13 and 14 have, and which module is to write with that in reach.
VERSIONS = {
    "dbus-next==0.2.3": "dbus_next",
    "dbus-fast==1.84.2": "dbus_next",
    "dbus-fast==2.44.1": "dbus_fast",
    "dbus-fast==5.2.0": "dbus_fast",
}
LIMIT = 200


def library(name: str, end: bytes) -> Any:
    """A library whose messages end in that."""

    if end == OTHER:
        return SimpleNamespace(__name__=name)

    def message(**_: Any) -> Any:
        return SimpleNamespace(_marshall=lambda _: bytearray(b"l\1\0\1" + end))

    return SimpleNamespace(__name__=name, Message=message)


RIGHT, WRONG = b"\2\0\0\0\xc3\xbc\0", b"\1\0\0\0\xc3\xbc\0"
#: A library that has nothing of what is asked for.
OTHER = b"other"


@pytest.mark.parametrize(
    ("fast", "old", "chosen"),
    [
        (RIGHT, RIGHT, "dbus_fast"),
        (RIGHT, None, "dbus_fast"),
        (WRONG, RIGHT, "dbus_next"),
        (None, RIGHT, "dbus_next"),
        (OTHER, RIGHT, "dbus_next"),
    ],
)
def test_dbus_fast_where_it_is_of_use_else_dbus_next(
    monkeypatch: pytest.MonkeyPatch, fast: bytes | None, old: bytes | None, chosen: str
) -> None:
    for name, end in (("dbus_fast", fast), ("dbus_next", old)):
        there = None if end is None else library(name, end)
        monkeypatch.setitem(sys.modules, name, there)  # None: not to be found
    assert dbus_library._found().__name__ == chosen


@pytest.mark.parametrize("fast", [None, WRONG])
def test_without_any_the_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, fast: bytes | None
) -> None:
    monkeypatch.setitem(sys.modules, "dbus_fast", fast and library("dbus_fast", fast))
    monkeypatch.setitem(sys.modules, "dbus_next", None)
    with pytest.raises(ImportError, match="python3-dbus-fast"):
        dbus_library._found()


@pytest.mark.thorough
@pytest.mark.parametrize(("version", "module"), VERSIONS.items())
def test_all_about_the_bus_holds_with_each_version(version: str, module: str) -> None:
    with_it = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed(version)), str(PROJECT)])}
    look = "from guestctl.host.dbus_library import library; print(library.__name__)"
    assert run(with_it, "-c", look).stdout.strip() == module
    if not version.startswith(module.replace("_", "-")):
        return  # the other one is a case of its own
    files = [f"tests/unit/{name}.py" for name in (*TESTS, "test_bus_values")]
    done = run(with_it, "-m", "pytest", "-q", "-n", "0", *files)
    assert done.returncode == 0, done.stdout[-3000:]


def run(environment: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        env=environment,
        cwd=PROJECT,
        text=True,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )


def installed(version: str) -> Path:
    """A folder with that version alone; the one of the system is behind it."""
    try:
        key = recipe_key(version, sys.version)
        return built(version.replace("==", "-"), key, lambda folder: _install(version, folder))
    except BuildError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{version} cannot be had here: {error}")


def _install(version: str, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--no-deps", "--target", str(folder), version],
        text=True,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode:
        raise BuildError(done.stderr.strip()[-500:])
    if version.startswith("dbus-next"):
        (folder / "dbus_fast.py").write_text("raise ImportError('not to be found')\n")
