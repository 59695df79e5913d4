"""The verb `reload`: the service reads its configuration."""

from __future__ import annotations

from argparse import Namespace

from ..control.configured import load_in_time
from .exits import Exit
from .options import client_of
from .text import emit, printable


def reload_verb(arguments: Namespace) -> int:
    """`reload`: what is different from now on, a line each."""
    # Mistakes are the answer here, and are told once.
    changes = client_of(arguments, load_in_time(None).config).reload()
    for change in changes or ["the configuration is the same"]:
        emit(f"{printable(change)}\n")
    return Exit.OK
