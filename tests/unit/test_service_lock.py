"""That there is one service, and what it says of itself."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from guestctl.host import locks, status_file


def test_there_is_one(tmp_path: Path) -> None:
    assert status_file.read(tmp_path) is None
    descriptor = locks.take_service_lock(tmp_path)
    with pytest.raises(locks.AnotherService):
        locks.take_service_lock(tmp_path)
    assert status_file.read(tmp_path) == {}
    status_file.write(tmp_path, {"activity": "watching"})
    assert status_file.read(tmp_path) == {"activity": "watching"}
    os.close(descriptor)
    assert status_file.read(tmp_path) is None


def test_who_only_looks_keeps_no_service_from_starting(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").touch()
    looking = os.open(tmp_path / "daemon.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.05, os.close, [looking])
    timer.start()
    os.close(locks.take_service_lock(tmp_path))
    timer.join()
