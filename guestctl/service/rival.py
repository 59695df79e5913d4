"""libvirt-guests beside the service: whether it may be why a guest is off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..model.guest import GuestFacts
from ..model.ports import HypervisorError, Rival, within
from ..model.stop import RivalStop

#: For its list and for systemd: that a guest stopped has to be written down.
LIMIT = 2.0


class RivalWords(NamedTuple):
    """What is known of it as guests are looked at.

    stop: its newest.  since: when guestctl began to be away, on the loop's clock; None where it
    was there all the time.
    """

    stop: RivalStop | None = None
    since: float | None = None

    def about(self, facts: GuestFacts, *, heard: bool) -> RivalStop | None:
        """Its stop, where the guest was on its list; heard: whether the guest's own was heard of.

        Of stops that were not, those count that were while guestctl was away: who it has seen up
        later was turned off by somebody else.
        """
        if self.stop is None or facts.id.uuid not in self.stop.guests:
            return None
        return self.stop if heard or self._was_meanwhile(self.stop) else None

    def _was_meanwhile(self, stop: RivalStop) -> bool:
        ended = stop.ended
        return self.since is not None and (ended is None or ended >= self.since)


async def ask(rival: Rival, guests: Iterable[GuestFacts], since: float | None) -> RivalWords:
    """Where one of these guests may be down for it.  since: see RivalWords."""
    if not any(facts.down for facts in guests):
        return RivalWords()
    try:
        return RivalWords(await within(LIMIT, rival.newest_stop()), since)
    except HypervisorError:
        return RivalWords()
