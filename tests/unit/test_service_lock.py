"""That there is one service, and what it says of itself."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from guestctl.host import locks, status_file
from guestctl.model.instant import Instant
from tests.unit.makers import BOOT


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


@pytest.mark.parametrize(
    ("later", "away"),
    [
        (Instant(0, BOOT, 90 * 10**9), 80.0),  # whatever the time of day was set to meanwhile
        (Instant(0, "another boot", 90 * 10**9), float("inf")),
    ],
)
def test_how_long_there_was_none_goes_by_a_clock_that_is_never_set(
    later: Instant, away: float, tmp_path: Path
) -> None:
    assert locks.seconds_without_service(tmp_path, later) == float("inf")
    locks.service_lives(tmp_path, Instant(10**18, BOOT, 10 * 10**9))
    assert locks.seconds_without_service(tmp_path, later) == away


def test_who_only_looks_keeps_no_service_from_starting(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").touch()
    looking = os.open(tmp_path / "daemon.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.05, os.close, [looking])
    timer.start()
    os.close(locks.take_service_lock(tmp_path))
    timer.join()


def test_nobody_else_may_open_the_lock(tmp_path: Path) -> None:
    """Root once ran the daemon with umask 022: a user's flock kept the service from starting."""
    (tmp_path / "daemon.lock").touch(0o644)
    os.close(locks.take_service_lock(tmp_path))
    assert (tmp_path / "daemon.lock").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    (tmp_path / "daemon.lock").symlink_to(aim)
    os.close(locks.take_service_lock(tmp_path))
    assert not aim.exists()
    assert not (tmp_path / "daemon.lock").is_symlink()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_a_folder_that_others_may_write_is_put_right(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(mode)
    os.close(locks.take_service_lock(folder))
    assert folder.stat().st_mode & 0o7777 == mode & ~0o022


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to user 65534"):
        locks.take_service_lock(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(OSError, match="directory"):
        locks.take_service_lock(tmp_path / "run")


def test_what_it_says_is_for_all_to_read_and_follows_no_link(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    for name in ("status.json", "status.json.new"):
        (tmp_path / name).symlink_to(aim)
    status_file.write(tmp_path, {"activity": "watching"})
    assert not aim.exists()
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644
