"""Configurations of one file, as tests read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.config.problems import ConfigError, Problem
from guestctl.config.reading import read


def load(folder: Path, content: str | bytes) -> Config:
    """The configuration of one file with this content."""
    file = folder / "one.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(file).sound()


def problems(folder: Path, content: str | bytes) -> tuple[Problem, ...]:
    """What is wrong with a file with this content."""
    with pytest.raises(ConfigError) as caught:
        load(folder, content)
    return caught.value.problems
