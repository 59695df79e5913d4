"""Who answers a command: the service, where it runs and can be asked, else this process.

Nothing that opens libvirt is imported where the service answers, and nothing of the bus where no
service runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..config.config import Config
from ..host import machine, status_file
from ..model.uris import is_system
from .client import Client
from .configured import uris_of


def client_of(
    config: Config,
    connect: str | None,
    complain: Callable[[str], None],
    *,
    in_place: str = "",
    own_config: bool = False,
) -> Client:
    """Whoever answers.

    connect: a URI, instead of the configured ones.  own_config: whether the configuration is not
    that of the host.  With either, this process answers.
    in_place: what the configuration is, where it is used in place of one with mistakes.  What
    whoever answers uses then is told.
    """
    uris = uris_of(config, connect)
    may_ask = not (connect or own_config) and _are_hosts(uris)
    if may_ask and (client := _over_bus(config, uris, complain, bool(in_place))):
        if in_place:
            complain(f"the service uses {_of_the_service()} {_UNTIL}")
        return client
    from .in_process import InProcess
    from .local import Local

    if in_place:
        complain(f"{in_place} is used {_UNTIL}")
    return InProcess(Local(config, uris, complain, makeshift=bool(in_place)))


_UNTIL = "until the mistakes are mended; with --strict, none is"


def _of_the_service() -> str:
    """What it uses in place of files with mistakes, which it may not have seen yet."""
    said = status_file.read(machine.SYSTEM_RUN) or {}
    configuration = said.get("configuration", {})
    has_seen = configuration.get("problems")
    return configuration["source"] if has_seen else "the configuration of before"


def _are_hosts(uris: Iterable[str]) -> bool:
    """Whether the host's service is for these connections, and not a user's own."""
    return machine.is_root() or any(map(is_system, uris))


def _over_bus(
    config: Config, uris: tuple[str, ...], complain: Callable[[str], None], makeshift: bool
) -> Client | None:
    """The service; None where it does not run, or does not answer.

    A command takes the guests to safety all the same, with a service that hangs or a bus that is
    gone, and where the library for the bus is just being upgraded.
    """
    if status_file.read(machine.SYSTEM_RUN) is None:
        return None
    try:
        from .service_on_bus import is_there
        from .steadfast import Steadfast
    except ImportError:
        return None
    return Steadfast(config, uris, complain, makeshift=makeshift) if is_there() else None
