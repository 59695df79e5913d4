"""What guestctl.service runs.

A module of its own: a process that stays has no memory to spare for tables (rich: 4 MiB).
"""

from __future__ import annotations

from argparse import Namespace

from ..service.daemon import serve
from .exits import Exit
from .sources import config_file, connect


def daemon_verb(arguments: Namespace) -> int:
    """`daemon`."""
    serve(config_file(arguments), connect(arguments))
    return Exit.OK
