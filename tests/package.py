"""The Debian package, built once for all tests that need it."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent
BUILD_SECONDS = 400  # with packages that are missing for it


@functools.cache
def package() -> Path:
    """The package; its folder goes when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="guestctl-deb-")
    _FOLDERS.append(folder)
    build(Path(folder.name))
    (deb,) = Path(folder.name).iterdir()
    return deb


def build(folder: Path) -> None:
    """Build it into a folder."""
    argv = [PROJECT / "packaging/build-deb", folder]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"cannot build the package: {done.stderr[-2000:]}")


#: What is dropped is removed.
_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
