"""From the options that verbs share to what they mean."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from ..config.config import Config
from ..control.local import Local, load_config, open_local
from ..model.history import Note
from .exits import complain


def config_file(arguments: Namespace) -> Path | None:
    """--config."""
    file: Path | None = getattr(arguments, "config", None)
    return file


def connect(arguments: Namespace) -> str | None:
    """--connect."""
    uri: str | None = getattr(arguments, "connect", None)
    return uri


def local_of(arguments: Namespace, config: Config | None = None) -> Local:
    """guestctl in this process; config: instead of the one that the options name."""
    config = config or load_config(config_file(arguments), complain)
    return open_local(config, connect(arguments), complain)


def note_of(arguments: Namespace, local: Local) -> Note | None:
    """What the operator said about why (--reason), if anything."""
    text: str | None = arguments.reason
    return Note(f"operator:{local.operator}", text) if text else None


def command_line() -> str:
    """What was typed, for whoever finds the run lock taken."""
    return " ".join(["guestctl", *sys.argv[1:]])


def complain_of_blindness(local: Local) -> None:
    """A user sees libvirt's side of the host's guests only."""
    if not local.sees_all:
        folder = local.host_state
        complain(f"what is wanted of the host's guests, in {folder}, only root can read")
