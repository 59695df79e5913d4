"""Values of any signature as D-Bus has them, allowed or not; for what is run on a host."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from tests.host.hostile import text

NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
_CLOSING = {"(": ")", "{": "}"}


def types(signature: str) -> list[str]:
    """The complete types that a signature is made of."""
    found = []
    while signature:
        size = _first(signature)
        found.append(signature[:size])
        signature = signature[size:]
    return found


def _first(signature: str) -> int:
    if signature[0] == "a":
        return 1 + _first(signature[1:])
    if signature[0] not in _CLOSING:
        return 1
    depth = 0
    for at, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if not depth:
            return at + 1
    raise ValueError(f"{signature} does not end")


def marshal(signature: str, values: Iterable[Any]) -> bytes:
    """The body of a message.  A variant is a pair: its signature and its value."""
    body = _Body()
    for kind, value in zip(types(signature), values, strict=True):
        body.put(kind, value)
    return bytes(body.data)


class _Body:
    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, kind: str, value: Any) -> None:
        self._align(_alignment(kind))
        if kind in NUMBERS:
            self.data += struct.pack("<" + NUMBERS[kind], value)
        elif kind in "sog":
            self.data += text(kind, value)
        elif kind == "v":
            self.data += text("g", value[0])
            self.put(*value)
        elif kind[0] == "a":
            self._put_array(kind[1:], value)
        else:
            for part, item in zip(types(kind[1:-1]), value, strict=True):
                self.put(part, item)

    def _put_array(self, kind: str, items: Any) -> None:
        at = len(self.data)
        self.data += bytes(4)
        self._align(_alignment(kind))
        begin = len(self.data)
        for item in items.items() if isinstance(items, dict) else items:
            self.put(kind, item)
        struct.pack_into("<I", self.data, at, len(self.data) - begin)

    def _align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)


def _alignment(kind: str) -> int:
    if kind in NUMBERS:
        return struct.calcsize(NUMBERS[kind])
    return {"(": 8, "{": 8, "g": 1, "v": 1}.get(kind[0], 4)
