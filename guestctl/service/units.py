"""What the units beside the service do: the guard's stop, the fallback's start, the claim.

All do without the service: it may have failed, or have been killed in the middle of its work.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..config.config import Config
from ..control.local import Local
from ..control.requests import Failure, RequestError
from ..host import journal, machine, since_boot, who_ran
from ..host.daemons import SystemdDaemons
from ..host.libvirt import auto_shutdown, autostart
from ..host.mounts import SystemdMounts
from ..host.notify import Notifier
from ..host.stop_limit import limit_of_stop
from ..host.systemd import is_booting_now, is_stopping_now, kind_of_stop
from ..host.units_stopped import UnitsStopped
from ..model.guest import GuestId
from ..model.ports import LockHeld
from ..model.report import Listener, tell_all
from ..model.result import RunResult
from .boot import restore_at_boot
from .configuration import Configuration
from .host_stop import is_paused_by_libvirt
from .reach import LastLook
from .stop_profile import Asked, finish_by_profile
from .stop_timeout import StopTimeout

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def configured(file: Path | None, connect: str | None) -> Iterator[Config]:
    """With the service's log, its configuration; see Configuration for file and connect."""
    with journal.started():
        yield Configuration(file, connect).config


def does_host_stop(complain: Callable[[str], None]) -> bool:
    """Whether the host is going down; without an answer it is not: no guest is touched then."""
    stops = is_stopping_now()
    if stops is None:
        complain(
            "cannot find out whether the host is going down: systemd answers neither on the bus"
            " nor to systemctl; it counts as staying up"
        )
    return bool(stops)


def guard(local: Local, listener: Listener, *, follows_progress: bool) -> RunResult | None:
    """As the host goes down: finish what the service began, or could not begin.

    None when nothing is left to do.
    """
    UnitsStopped(machine.run_folder()).say()
    notifier = Notifier()
    stop_timeout = StopTimeout(notifier.extend, notifier.status)
    last_look = LastLook(SystemdDaemons(), lambda: True)
    mounts, asked = SystemdMounts(machine.run_folder()), Asked(kind_of_stop, limit_of_stop)
    return local.act(
        lambda context: finish_by_profile(
            context, local.config, asked, stop_timeout, local.lock, last_look, mounts, _ran
        ),
        tell_all(listener, stop_timeout),
        follows_progress=follows_progress,
    )


async def _ran() -> frozenset[GuestId]:
    """Who ran before libvirt paused everybody, by the last word of the service."""
    if not await is_paused_by_libvirt(auto_shutdown.may_be_on):
        return frozenset()
    return who_ran.kept(machine.run_folder(), machine.now())


def owes_nothing(local: Local) -> bool:
    """Whether the guests of this boot were brought back already, or it was not guestctl's."""
    nothing: frozenset[str] = frozenset()
    boot = local.boot
    done = local.ask_ledger(lambda ledger: ledger.runs.restored_since_preserve(boot), nothing)
    return done >= set(local.uris) & _ours(local)


def fallback(local: Local, listener: Listener, *, follows_progress: bool) -> RunResult:
    """At boot: bring guests back.  RequestError where another run does not end."""
    flags, ours = frozenset(autostart.claimed()), _ours(local)
    stopped = UnitsStopped(machine.run_folder()).said

    try:
        return local.act(
            lambda context: restore_at_boot(
                context, local.config, local.lock, flags, ours, stopped
            ),
            listener,
            follows_progress=follows_progress,
        )
    except LockHeld as error:
        raise RequestError(Failure.LOCKED, str(error)) from error


def _ours(local: Local) -> frozenset[str]:
    """Connections of which guestctl is in charge since the host booted."""
    booting = is_booting_now() is not False
    return since_boot.of_this_boot(machine.run_folder(), local.uris, booting=booting)


def claim_autostart(uris: Iterable[str]) -> None:
    """Take over libvirt's autostart of these connections in this boot.

    RequestError where that cannot be done: libvirt does its own then.
    """
    try:
        claimed = autostart.claim(uris)
    except OSError as error:
        text = f"cannot own autostart, libvirt will do its own: {error}"
        raise RequestError(Failure.NOT_ALL_WELL, text) from error
    logger.info(f"autostart is guestctl's in this boot for: {', '.join(claimed) or 'nobody'}")
