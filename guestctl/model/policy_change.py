"""What is to become of the settings that a guest's own XML gives."""

from __future__ import annotations

from dataclasses import dataclass

from .guest import OwnSetting


@dataclass(frozen=True)
class PolicyChange:
    """given: what it is to have.  taken: keys of which nothing that is there stays, each spelling
    of those given among them.  afresh: nothing at all stays, whether it is understood or not.
    """

    given: tuple[OwnSetting, ...] = ()
    taken: frozenset[str] = frozenset()
    afresh: bool = False

    def of(self, policy: tuple[OwnSetting, ...]) -> tuple[OwnSetting, ...]:
        """What these settings become."""
        return (*(one for one in policy if not self.takes(one.key)), *self.given)

    def takes(self, key: str) -> bool:
        """Whether what is there of this key goes."""
        return self.afresh or key in self.taken
