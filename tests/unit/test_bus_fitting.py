"""Values held to their types before the bus sees them: it ends the connection over a wrong one."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from guestctl.host.bus_fitting import fitted, is_error_name
from guestctl.host.bus_values import Variant


class Word(StrEnum):
    ON = "on"


@pytest.mark.parametrize(
    ("signature", "value", "sent"),
    [
        ("s", "grüß dich", "grüß dich"),
        ("s", "a\0b\ud800c", "a\ufffdb\ufffdc"),
        ("s", Word.ON, "on"),
        ("o", "/", "/"),
        ("o", "/a/B_1", "/a/B_1"),
        ("g", "a{sv}", "a{sv}"),
        ("y", 255, 255),
        ("x", -(1 << 63), -(1 << 63)),
        ("t", (1 << 64) - 1, (1 << 64) - 1),
        ("d", 1, 1.0),
        ("b", True, True),
        ("ay", b"\0\1", b"\0\1"),
        ("as", (), []),
        ("a(so)", [("x", "/x")], [["x", "/x"]]),
        ("a{sv}", {"x": Variant("u", 1)}, {"x": Variant("u", 1)}),
        ("v", Variant("as", ("\0",)), Variant("as", ["\ufffd"])),
    ],
)
def test_what_fits_is_sent(signature: str, value: Any, sent: Any) -> None:
    found = fitted(signature, value)
    assert found == sent
    assert type(found) is type(sent)


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        ("s", b"x"),
        ("s", None),
        ("o", ""),
        ("o", "x"),
        ("o", "/x/"),
        ("o", "/ü"),
        ("o", "/x\n"),
        ("g", "("),
        ("y", 256),
        ("u", -1),
        ("u", True),
        ("u", 1.0),
        ("n", 1 << 15),
        ("d", "1"),
        ("d", 10**400),
        ("b", 1),
        ("ay", [1]),
        ("as", "x"),
        ("as", {"x"}),
        ("(ss)", ["x"]),
        ("(ss)", ["x", "y", "z"]),
        ("a{su}", {"x": "y"}),
        ("a{su}", [("x", 1)]),
        ("v", 1),
        ("v", Variant("", 1)),
        ("v", Variant("uu", 1)),
        ("v", Variant("u", "x")),
        ("h", 0),
    ],
)
def test_what_does_not_fit_is_not_sent(signature: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"of the type|signature|sent"):
        fitted(signature, value)


def test_variants_without_end_are_not_sent() -> None:
    value = Variant("u", 1)
    for _ in range(100):
        value = Variant("v", value)
    with pytest.raises(ValueError, match="too deep"):
        fitted("v", value)


@pytest.mark.parametrize("name", ["", "x", "a.", ".a", "a.1b", "a b.c", "a." + "b" * 255, "a.b\n"])
def test_names_that_are_none(name: str) -> None:
    assert not is_error_name(name)
    assert is_error_name("org.example.Error.NotAllWell")
