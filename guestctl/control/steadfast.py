"""The service is asked, by a command that takes guests to safety with it or without it."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from ..host import machine
from ..model.plan import RunKind
from ..model.result import RunResult
from .failure import ServiceLost
from .over_bus import OverBus
from .requests import Down, Shown


@dataclass(frozen=True)
class Steadfast(OverBus):
    """See OverBus.

    A service that was killed, or hangs, leaves guests up that somebody wants in safety: an UPS
    has no time for a second try.  The run lock tells whether its run goes on after all.
    """

    makeshift: bool = False

    def take_down(self, request: Down, shown: Shown) -> RunResult:
        """See Client."""
        try:
            return super().take_down(request, shown)
        except ServiceLost as error:
            if request.kind is not RunKind.PRESERVE or not machine.is_root():
                raise
            self.complain(f"{error}; this process goes on")
        return self._go_on(request, shown)

    def _go_on(self, request: Down, shown: Shown) -> RunResult:
        from .actions import take_down
        from .local import Local

        # The event loop that asked the service has taken its handlers away (asyncio).
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        local = Local(self.config, self.uris, self.complain, makeshift=self.makeshift)
        return take_down(local, request, shown)
