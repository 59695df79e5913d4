"""What is looked at and could not be seen: a value in place of the one that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class NotKnown:
    """what: was to be looked at, as in "systemd's units".  reason: why it is not known.

    refused: for want of permission.
    """

    what: str
    reason: str
    refused: bool = False


class NotSeen(Exception):
    """A check cannot be made; `of` says for want of what."""

    def __init__(self, of: NotKnown) -> None:
        self.of = of
        super().__init__(f"{of.what}: {of.reason}")


def known(value: T | NotKnown) -> T:
    """The value.  Raises NotSeen where it is not known: the check that needs it is not made, and
    that is a finding."""
    if isinstance(value, NotKnown):
        raise NotSeen(value)
    return value
