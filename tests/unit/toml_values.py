"""Values that fit a setting, as a person may write them in TOML."""

from __future__ import annotations

import tomllib
from enum import StrEnum

from hypothesis import strategies as st

from guestctl.config.settings import Setting
from guestctl.config.toml import quoted
from guestctl.model.options import Method
from guestctl.model.units import BadValue

_UNITS = st.sampled_from(["ms", "s", " min", "h"])
_DURATIONS = st.builds("{:.4f}{} 10s".format, st.floats(0, 999), _UNITS).map(quoted)
_SIZES = st.builds("{}{}".format, st.integers(0, 9999), st.sampled_from(["KiB", " MiB", "TiB"]))
_URIS = st.lists(st.text(max_size=4).map("test:///{}".format), min_size=1, max_size=3)
_GUESTS = st.lists(st.sampled_from(["db-*", "web", "dns", "x y"]), unique=True)
_RULES = st.lists(
    st.sampled_from(["agent", "address", "tcp:1", "tcp:65535", "delay:59min 5s", "delay:20"]),
    unique=True,
)
_METHODS = st.lists(st.sampled_from(list(Method)), min_size=1, unique=True)


def toml_values(row: Setting) -> st.SearchStrategy[str]:
    """TOML of values that the setting takes."""
    return _like(row.default, row.kind.expected).filter(lambda text: _fits(row, text))


def _like(value: object, expected: str) -> st.SearchStrategy[str]:
    match value:
        case bool():
            return st.sampled_from(["true", "false"])
        case float():
            return _DURATIONS
        case int():
            return _SIZES.map(quoted) if "size" in expected else st.integers(0, 17).map(str)
        case StrEnum():
            return st.sampled_from([quoted(word) for word in type(value)])
        case None:
            return st.integers(0, 99).map(str) | st.just(quoted("none"))
        case ():
            words = _RULES if "tcp" in expected else _GUESTS
            return words.map(lambda items: f"[{', '.join(map(quoted, items))}]")
        case _:
            items = _URIS if "URIs" in expected else _METHODS
            return items.map(lambda items: f"[{', '.join(map(quoted, items))}]")


def _fits(row: Setting, text: str) -> bool:
    try:
        row.kind.parse(tomllib.loads(f"x = {text}")["x"])
    except BadValue:
        return False
    return True
