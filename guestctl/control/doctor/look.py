"""What those who look for the doctor have to look with."""

from __future__ import annotations

from dataclasses import dataclass

from ...decisions.host_facts import HostFacts
from ...model.host_state import NotKnown, known
from ..local import Local


@dataclass(frozen=True)
class Look:
    """local: this process's connections, ledger and configuration.  seen: guests, as they are now.

    hosts_files: whether the configuration of local is the host's.
    """

    local: Local
    seen: HostFacts | NotKnown
    hosts_files: bool

    @property
    def facts(self) -> HostFacts:
        """The guests.  Raises NotSeen where they are not known."""
        return known(self.seen)
