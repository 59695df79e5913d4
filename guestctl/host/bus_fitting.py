"""Values made fit to be sent: of the types that a table says, and nothing that the bus refuses.

A bus ends the connection of who sends it a message that is none, and the libraries write some of
those: object paths that are none, numbers that another type takes, texts with a zero byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .bus_interface import Argument, Property
from .bus_values import Variant, types_in

#: Variants in one another, and what is in them.
_DEEPEST = 32
_LONGEST_NAME = 255
#: What no text on the bus may hold: a zero byte, and halves of characters, which names of files
#: that are no UTF-8 are read as.
_NOT_IN_TEXT = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_PATH = re.compile(r"/|(/[A-Za-z0-9_]+)+", re.ASCII)
_ERROR_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+", re.ASCII)
_WIDTHS = {"y": 8, "n": -16, "q": 16, "i": -32, "u": 32, "x": -64, "t": 64}


def fitted_body(arguments: Sequence[Argument], values: Sequence[Any]) -> list[Any]:
    """The values of these arguments, ready to be sent; ValueError where they do not fit.

    Characters of a text that cannot be sent are replaced.
    """
    if len(values) != len(arguments):
        raise ValueError(f"{len(values)} values, where {len(arguments)} are in the table")
    return [fitted_as(row, value) for row, value in zip(arguments, values, strict=True)]


def fitted(signature: str, value: Any) -> Any:
    """The same of one value of one complete type."""
    return _fitted(signature, value, 0)


def fitted_as(row: Argument | Property, value: Any) -> Any:
    """The same of one row of a table, which the ValueError names."""
    try:
        return fitted(row.signature, value)
    except ValueError as error:
        raise ValueError(f"{row.name}: {error}") from error


def is_error_name(name: str) -> bool:
    """Whether the bus takes it as the name of an error."""
    return len(name) <= _LONGEST_NAME and _ERROR_NAME.fullmatch(name) is not None


def clean(text: str) -> str:
    """The text without what cannot be sent."""
    return _NOT_IN_TEXT.sub(_REPLACEMENT, str.__str__(text))


def _fitted(kind: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("it is too deep")
    return _FITTING[kind[0]](kind, value, depth)


def _text(kind: str, value: Any, _: int) -> str:
    if not isinstance(value, str):
        raise _unfit(kind, value)
    return clean(value)


def _path(kind: str, value: Any, depth: int) -> str:
    text = _text(kind, value, depth)
    if not _PATH.fullmatch(text):
        raise _unfit(kind, value)
    return text


def _signature(kind: str, value: Any, depth: int) -> str:
    text = _text(kind, value, depth)
    types_in(text)
    return text


def _whole_number(kind: str, value: Any, _: int) -> int:
    width = _WIDTHS[kind]
    least, most = (0, 1 << width) if width > 0 else (-1 << (-width - 1), 1 << (-width - 1))
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < most:
        raise _unfit(kind, value)
    return int(value)


def _real_number(kind: str, value: Any, _: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unfit(kind, value)
    try:
        return float(value)
    except OverflowError:
        raise _unfit(kind, value) from None


def _truth(kind: str, value: Any, _: int) -> bool:
    if not isinstance(value, bool):
        raise _unfit(kind, value)
    return value


def _variant(kind: str, value: Any, depth: int) -> Variant:
    if not isinstance(value, Variant) or len(types_in(value.signature)) != 1:
        raise _unfit(kind, value)
    return Variant(value.signature, _fitted(value.signature, value.value, depth + 1))


def _struct(kind: str, value: Any, depth: int) -> list[Any]:
    kinds = types_in(kind[1:-1])
    if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
        raise _unfit(kind, value)
    return [_fitted(kind, each, depth + 1) for kind, each in zip(kinds, value, strict=True)]


def _array(kind: str, value: Any, depth: int) -> Any:
    if kind[1] == "{":
        return _dictionary(kind, value, depth)
    if kind == "ay" and isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if kind == "ay" or not isinstance(value, (list, tuple)):
        raise _unfit(kind, value)
    return [_fitted(kind[1:], each, depth + 1) for each in value]


def _dictionary(kind: str, value: Any, depth: int) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise _unfit(kind, value)
    of_key, of_value = types_in(kind[2:-1])
    return {
        _fitted(of_key, key, depth + 1): _fitted(of_value, each, depth + 1)
        for key, each in value.items()
    }


def _no_descriptor(kind: str, value: Any, _: int) -> Any:
    raise ValueError(f"{value!r:.80}: descriptors are not sent")


_FITTING: dict[str, Callable[[str, Any, int], Any]] = {
    "s": _text,
    "o": _path,
    "g": _signature,
    "d": _real_number,
    "b": _truth,
    "v": _variant,
    "(": _struct,
    "a": _array,
    "h": _no_descriptor,
    **dict.fromkeys(_WIDTHS, _whole_number),
}


def _unfit(kind: str, value: Any) -> ValueError:
    return ValueError(f"{value!r:.80} is not of the type {kind!r}")
