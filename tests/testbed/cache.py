"""The cache of built things: the tiny guest, the images of the hosts.

Each is built once per recipe and machine.  The name holds a hash of the recipe, so a changed
recipe builds anew; a killed build leaves only a temporary name, which the next one removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

UNUSED_SECONDS = 14 * 24 * 3600
TEMPORARY = ".building-"


class BuildError(RuntimeError):
    """Something of the test bed could not be built."""


def cache_dir() -> Path:
    """The folder of built things, readable for all: QEMU runs as another user."""
    folder = _cache_path()
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    return folder


def _cache_path() -> Path:
    if chosen := os.environ.get("GUESTCTL_TEST_CACHE"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/guestctl-testbed")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "guestctl-testbed"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of that name: one builder at a time, on the whole machine."""
    with (cache_dir() / f".lock-{name}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def recipe_key(*parts: str | bytes) -> str:
    """A short hash of everything that decides how a thing comes out."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:12]


def built(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The cached file or folder of that name and recipe, made by build(path) if it is absent."""
    path = cache_dir() / f"{name}-{key}"
    if not path.exists():
        with locked(name):
            if not path.exists():
                _build(name, path, build)
    with contextlib.suppress(PermissionError):
        os.utime(path)
    return path


def _build(name: str, path: Path, build: Callable[[Path], None]) -> None:
    _remove_leftovers(name)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        build(temporary)
        temporary.rename(path)
    finally:
        remove(temporary)


def _remove_leftovers(name: str) -> None:
    """Remove what a killed build left, and builds of older recipes that nobody used for long."""
    for path in cache_dir().glob(f"{TEMPORARY}{name}-*"):
        remove(path)
    for path in cache_dir().glob(f"{name}-*"):
        if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
