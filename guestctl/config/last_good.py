"""The last good configuration: a broken one must not leave the host unprotected.

A copy of the files that were last found good is kept in the state folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import files, reading
from .config import Config
from .problems import Notice, Problem

FOLDER = "last-good"


@dataclass(frozen=True)
class Loaded:
    """A configuration that can be used, where it is from, and what there is to say of the files.

    source is empty for the files themselves, else says what is used in their place.
    """

    config: Config
    source: str
    problems: tuple[Problem, ...]
    notices: tuple[Notice, ...]


def load(file: Path | None, state: Path | None) -> Loaded:
    """The host's files (or one file alone); where they are broken, the last good copy.

    Without a copy, or a state folder, what is right in them, and defaults for the rest.  Never
    raises.
    """
    found = reading.read(file)
    told = found.problems, found.notices
    if not found.problems:
        return Loaded(found.config, "", *told)
    copies = _copies(state) if state else ()
    copied = reading.read_files(copies)
    if copies and not copied.problems:
        return Loaded(copied.config, "the last good configuration", *told)
    return Loaded(found.config, "what is right in the configuration", *told)


def keep(file: Path | None, state: Path) -> None:
    """Remember the files as good ones.  Raises OSError."""
    folder, new, old = (state / f"{FOLDER}{suffix}" for suffix in ("", ".new", ".old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    for number, source in enumerate([file] if file else files.host_files()):
        with contextlib.suppress(FileNotFoundError):
            _copy(source, new / f"{number:03}-{source.name}")
    # At every moment there is one whole copy.
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
    new.rename(folder)


def _copy(source: Path, target: Path) -> None:
    with target.open("wb") as copy:
        copy.write(source.read_bytes())
        copy.flush()
        os.fsync(copy.fileno())


def _copies(state: Path) -> Sequence[Path]:
    try:
        folder = state / FOLDER
        return sorted((folder if folder.is_dir() else state / f"{FOLDER}.old").iterdir())
    except OSError:
        return ()
