"""That there is one service, and what it says of itself."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from guestctl.host import status_file


def test_there_is_one(tmp_path: Path) -> None:
    assert status_file.said(tmp_path) is None
    descriptor = status_file.be_the_only_one(tmp_path)
    with pytest.raises(status_file.AnotherService):
        status_file.be_the_only_one(tmp_path)
    assert status_file.said(tmp_path) == {}
    status_file.say(tmp_path, {"activity": "watching"})
    assert status_file.said(tmp_path) == {"activity": "watching"}
    os.close(descriptor)
    assert status_file.said(tmp_path) is None


def test_who_only_looks_keeps_no_service_from_starting(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").touch()
    looking = os.open(tmp_path / "daemon.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.05, os.close, [looking])
    timer.start()
    os.close(status_file.be_the_only_one(tmp_path))
    timer.join()
