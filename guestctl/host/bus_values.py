"""The values in the body of a message, read here.

A bus need not check a body (dbus-broker does not), and a body may come from any local user.  By
some the compiled readers of dbus-fast get the process killed (SIGSEGV): 1.84.2 and 5.2.0 run past
the end of the data, 2.44.1 has no limit for variants in one another.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

#: Containers in one another, variants included (D-Bus specification, "Valid Signatures").
DEEPEST = 64
_LONGEST_SIGNATURE = 255
_LONGEST_ARRAY = 1 << 26
#: As `struct` names them; a boolean is a number, a file descriptor an index.
_NUMBERS = {
    "y": "B",
    "n": "h",
    "q": "H",
    "i": "i",
    "u": "I",
    "x": "q",
    "t": "Q",
    "d": "d",
    "b": "I",
    "h": "I",
}
_TEXTS = "sog"
_ALIGNED_TO_8 = "xtd({"
_OPEN, _CLOSE = "({", ")}"


class Variant(NamedTuple):
    """A value that carries its own type with it."""

    signature: str
    value: Any


def unwrap(value: Any) -> Any:
    """The value with plain values in place of variants, at any depth."""
    if isinstance(value, Variant):
        return unwrap(value.value)
    if isinstance(value, list):
        return [unwrap(each) for each in value]
    if isinstance(value, dict):
        return {key: unwrap(each) for key, each in value.items()}
    return value


def signature_of(value: Any) -> str:
    """The signature of what a variant holds; empty for anything else."""
    return value.signature if isinstance(value, Variant) else ""


@lru_cache(maxsize=256)
def types_in(signature: str) -> tuple[str, ...]:
    """The complete types in a signature, in order; ValueError for what is none."""
    if len(signature) > _LONGEST_SIGNATURE:
        raise ValueError("its signature is too long")
    types, start = [], 0
    while start < len(signature):
        end = _end(signature, start, 0)
        types.append(signature[start:end])
        start = end
    return tuple(types)


def _end(signature: str, start: int, depth: int) -> int:
    """Where the complete type ends that begins there."""
    kind = signature[start : start + 1]
    if kind == "v" or (kind and kind in _TEXTS) or kind in _NUMBERS:
        return start + 1
    if depth > DEEPEST or not kind or kind not in "a(":
        raise ValueError("its signature is none")
    if kind == "(":
        return _end_of_struct(signature, start + 1, depth + 1)
    if signature[start + 1 : start + 2] == "{":
        return _end_of_entry(signature, start + 2, depth + 1)
    return _end(signature, start + 1, depth + 1)


def _end_of_struct(signature: str, start: int, depth: int) -> int:
    end = _end(signature, start, depth)  # one field at least
    while signature[end : end + 1] != ")":
        end = _end(signature, end, depth)
    return end + 1


def _end_of_entry(signature: str, start: int, depth: int) -> int:
    """Of an entry of a dictionary: a basic type and any other."""
    if signature[start : start + 1] in ("", "v", "a", "("):
        raise ValueError("its signature is none")
    end = _end(signature, _end(signature, start, depth), depth)
    if signature[end : end + 1] != "}":
        raise ValueError("its signature is none")
    return end + 1


def read_values(signature: str, data: bytes, order: str) -> list[Any]:
    """The values of these types, which are all that is in the data; ValueError.

    order: of the bytes, "<" or ">".  Arrays and structures are lists, arrays of bytes are bytes.
    """
    body = _Body(data, order)
    values = [body.value(each, 0) for each in types_in(signature)]
    if body.offset != len(data):
        raise ValueError("it is longer than its values")
    return values


class _Body:
    def __init__(self, data: bytes, order: str) -> None:
        self.offset = 0
        self._data = data
        self._order = order

    def value(self, kind: str, depth: int) -> Any:
        """The next value, of one complete type."""
        first = kind[0]
        if first in _NUMBERS:
            number = self._number(_NUMBERS[first])
            return self._boolean(number) if first == "b" else number
        if first in _TEXTS:
            return self._text("B" if first == "g" else "I")
        if depth >= DEEPEST:
            raise ValueError("it is too deep")
        containers: dict[str, Callable[[str, int], Any]] = {
            "v": self._variant,
            "(": self._struct,
            "a": self._array,
        }
        return containers[first](kind, depth + 1)

    def _number(self, form: str) -> Any:
        size = struct.calcsize(f"={form}")
        self._align(size)
        return struct.unpack(f"{self._order}{form}", self._bytes(size))[0]

    def _boolean(self, number: int) -> bool:
        if number > 1:
            raise ValueError("a boolean is neither true nor false")
        return bool(number)

    def _text(self, length_form: str) -> str:
        length = self._number(length_form)
        text = self._bytes(length)
        if self._bytes(1) != b"\0" or b"\0" in text:
            raise ValueError("a text does not end where it should")
        return text.decode()

    def _variant(self, _: str, depth: int) -> Variant:
        signature = self._text("B")
        types = types_in(signature)
        if len(types) != 1:
            raise ValueError("a variant holds one value")
        return Variant(signature, self.value(types[0], depth))

    def _struct(self, kind: str, depth: int) -> list[Any]:
        self._align(8)
        return [self.value(each, depth) for each in types_in(kind[1:-1])]

    def _array(self, kind: str, depth: int) -> Any:
        size = self._number("I")
        self._align(8 if kind[1] in _ALIGNED_TO_8 else 1)  # the others do so themselves
        if size > _LONGEST_ARRAY or self.offset + size > len(self._data):
            raise ValueError("an array is longer than what holds it")
        if kind == "ay":
            return self._bytes(size)
        return self._elements(kind[1:], self.offset + size, depth)

    def _elements(self, kind: str, end: int, depth: int) -> Any:
        found = []
        while self.offset < end:
            found.append(self._entry(kind, depth) if kind[0] == "{" else self.value(kind, depth))
        if self.offset != end:
            raise ValueError("an array is shorter than what it holds")
        return dict(found) if kind[0] == "{" else found

    def _entry(self, kind: str, depth: int) -> tuple[Any, Any]:
        self._align(8)
        key, value = types_in(kind[1:-1])
        return self.value(key, depth), self.value(value, depth)

    def _align(self, boundary: int) -> None:
        self._bytes(-self.offset & (boundary - 1))

    def _bytes(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self._data):
            raise ValueError("it ends too soon")
        piece = self._data[self.offset : end]
        self.offset = end
        return piece
