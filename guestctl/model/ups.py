"""A UPS, as programs of NUT name it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .units import BadValue

#: upsc(8): NAME[@HOST[:PORT]]; a HOST with colons stands in brackets.  Nothing that a program
#: would take for an option, and nothing that no name has.
_ADDRESS = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}"
    r"(@([A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?)?"
)


@dataclass(frozen=True)
class Ups:
    """address: NAME@HOST, with the port where it is another; NAME alone is one of this host."""

    address: str

    def __str__(self) -> str:
        return self.address


def parse_ups(text: str) -> Ups:
    """Raises BadValue for what cannot be one."""
    if not _ADDRESS.fullmatch(text):
        raise BadValue("a UPS is named NAME@HOST, as upsc(8) takes it")
    return Ups(text)
