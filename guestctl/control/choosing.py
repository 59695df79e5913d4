"""Who answers a command: the service, where it runs and can be asked, else this process.

Nothing of libvirt is imported where the service answers, and nothing of the bus where none runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..config.config import Config
from .client import Client


def client_of(
    config: Config,
    connect: str | None,
    complain: Callable[[str], None],
    *,
    makeshift: bool = False,
    own_config: bool = False,
) -> Client:
    """Whoever answers.

    connect: a URI, instead of the configured ones.  own_config: whether the configuration is not
    that of the host.  With either, this process answers.
    makeshift: whether the configuration is used in place of one that has mistakes.
    """
    from .in_process import InProcess
    from .local import open_local

    local = open_local(config, connect, complain)
    return InProcess(replace(local, makeshift=makeshift))
