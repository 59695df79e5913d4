"""Where a command is told that its configuration and its guests are.

A module of its own for the service, which has no memory to spare for what verbs need.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path


def config_file(arguments: Namespace) -> Path | None:
    """--config."""
    file: Path | None = getattr(arguments, "config", None)
    return file


def connect(arguments: Namespace) -> str | None:
    """--connect."""
    uri: str | None = getattr(arguments, "connect", None)
    return uri
