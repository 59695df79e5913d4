"""The guard over leaks sees each kind of them, and nothing where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
LEAKING = """
import asyncio
import subprocess
import threading
import time

import pytest

from guestctl.host import tasks
from tests import leaks

leaks.GRACE = 0.2
over = threading.Event()


@pytest.fixture(scope="session")
def shared():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_nothing(shared):
    thread = threading.Thread(target=time.sleep, args=[0.1])
    thread.start()  # and it ends by itself
    asyncio.run(asyncio.sleep(0))
    with subprocess.Popen(["true"]):
        pass


def test_task():
    async def forgotten():
        await asyncio.sleep(60)

    async def main():
        main.task = asyncio.create_task(forgotten())

    asyncio.run(main())


def test_thread():
    threading.Thread(target=over.wait, name="forgotten", daemon=True).start()


def test_process():
    test_process.child = subprocess.Popen(["sleep", "61"])


def test_call():
    async def main():
        tasks.start(over.wait)

    asyncio.run(main())


@pytest.mark.guests
def test_session():
    threading.Thread(target=over.wait, name="of-a-guest", daemon=True).start()
"""
LEFT = {
    "test_task": "the test left behind: task of test_task.<locals>.forgotten",
    "test_thread": "the test left behind: thread 'forgotten'",
    "test_process": "(sleep 61)",
    "test_call": "the test left behind: 1 blocking calls under way",
    "test_session": "the session left behind: thread 'of-a-guest'",
}


def _said_of_leaks(folder: Path) -> list[str]:
    """What pytest says of a module that leaks on purpose, under the guard."""
    (folder / "test_leaking.py").write_text(LEAKING)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = guests\n hosts\n")
    guarded = [sys.executable, "-m", "pytest", "-p", "tests.leaks", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*guarded, "-rA", "-W", "ignore", str(folder)],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "200"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return (ran.stdout + ran.stderr).splitlines()


@pytest.mark.thorough
def test_whatever_is_left_behind_fails_the_test_that_left_it(tmp_path: Path) -> None:
    """Once: what guests share is the session's, and what a test was failed for is not."""
    said = _said_of_leaks(tmp_path)
    passed = [line.split("::")[1] for line in said if line.startswith("PASSED")]
    assert passed == ["test_nothing", *LEFT]
    errors = [line.partition("::")[2] for line in said if line.startswith("ERROR ")]
    assert [error.split(" - ")[0] for error in errors] == list(LEFT), said
    assert all(left in error for left, error in zip(LEFT.values(), errors, strict=True)), said
