"""What dataclasses and named tuples have in them, by name.  Pure."""

from __future__ import annotations

import typing
from dataclasses import is_dataclass
from functools import cache
from typing import Any


def is_compound(kind: Any) -> bool:
    """Whether values of it have fields."""
    return is_dataclass(kind) or hasattr(kind, "_fields")


@cache
def hints(kind: Any) -> dict[str, Any]:
    """The kind of each field."""
    return typing.get_type_hints(kind)
