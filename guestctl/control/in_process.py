"""The Client that answers in this process: its connections, its ledger, its runs.

What only some requests need is imported as they come: to start is most of what a command does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from ..config.config import Config
from ..config.reading import Reading
from ..decisions.host_facts import HostFacts
from ..model.guest import GuestFacts, GuestId
from ..model.plan import RunKind
from ..model.result import RunResult
from . import recorded
from .gathering import gather
from .guest_settings import GuestSettings
from .happened import Line, of_event, of_trail
from .local import Local
from .replies import ChangedPolicy, PastRunInFull, Problems, Said, Status, Trail
from .requests import Down, Failure, PolicyRequest, RequestError, Shown, Up


@dataclass(frozen=True)
class InProcess:
    """See Client."""

    local: Local

    @property
    def config(self) -> Config:
        return self.local.config

    @property
    def uris(self) -> tuple[str, ...]:
        return self.local.uris

    @property
    def sees_all(self) -> bool:
        return self.local.sees_all

    @property
    def is_hosts(self) -> bool:
        return self.local.is_hosts

    # Reading

    def facts(self) -> HostFacts:
        return gather(self.local)

    def status(self, *, hosts_files: bool) -> Status:
        from .status import status

        return status(self.local, hosts_files=hosts_files)

    def problems(self) -> Problems:
        from .status import problems

        return problems(self.local)

    def history(
        self, count: int, names: Sequence[str] = (), kind: RunKind | None = None
    ) -> list[PastRunInFull]:
        return recorded.history(self.local, count, names, kind)

    def wanted_off(self) -> Collection[GuestId]:
        return recorded.wanted_off(self.local)

    def trail(self, name: str, uris: Collection[str] | None, listed: Collection[GuestId]) -> Trail:
        return recorded.trail(self.local, name, uris, listed)

    def watch(self, show: Callable[[Line], bool]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_watch(self.local, show))

    def policy(self, found: Reading, name: str) -> GuestSettings:
        from .guest_reading import policy_of

        return policy_of(found, name, self.local)

    # Acting

    def take_down(self, request: Down, shown: Shown) -> RunResult:
        from .actions import take_down

        return take_down(self.local, request, shown)

    def bring_up(self, request: Up, shown: Shown) -> RunResult:
        from .actions import bring_up

        return bring_up(self.local, request, shown)

    def attach(self, shown: Shown) -> RunResult | None:
        raise _no_service("attach")

    def cancel(self, shown: Shown, *, mine: bool) -> RunResult | None:
        raise _no_service("cancel")

    def hold(self, names: Sequence[str], reason: str | None) -> Said:
        from .actions import hold

        return _said(hold(self.local, names, reason))

    def release(self, names: Sequence[str], reason: str | None) -> Said:
        from .actions import release

        return _said(release(self.local, names, reason))

    def forget(self, names: Sequence[str], reason: str | None) -> Said:
        from .actions import forget

        return _said(forget(self.local, names, reason))

    def change_policy(self, found: Reading, request: PolicyRequest) -> ChangedPolicy:
        from .policy_change import change_policy

        return change_policy(found, request, self.local)

    def reload(self) -> list[str]:
        from .reloading import reload_by_signal

        return reload_by_signal()


async def _watch(local: Local, show: Callable[[Line], bool]) -> None:
    from .watching import watch

    def tell(line: Line) -> None:
        if not show(line):
            task.cancel()

    work = watch(local, lambda it: tell(of_event(it)), lambda it: tell(of_trail(it)))
    task = asyncio.ensure_future(work)
    await task


def _said(marked: Iterable[tuple[GuestFacts, str]]) -> Said:
    return [(guest.name, text) for guest, text in marked]


def _no_service(verb: str) -> RequestError:
    return RequestError(Failure.NOT_ALL_WELL, f"cannot {verb}: {_NOBODY}")


_NOBODY = "the service does not run, or is not on the bus: see `guestctl status`"
