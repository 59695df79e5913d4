"""Values in bodies: read as they were written, and none of what is no body."""

from __future__ import annotations

import random
import struct
import time
from typing import Any

import pytest

from guestctl.host.bus_messages import SIGNAL
from guestctl.host.bus_values import DEEPEST, Variant, read_values, types_in
from guestctl.host.dbus_library import Outgoing, encode
from tests.unit.marshalled import marshalled

VALUES: list[tuple[str, list[Any]]] = [
    ("", []),
    ("ybnqiuxtd", [255, True, -2, 65535, -3, 1 << 31, -(1 << 40), 1 << 63, 0.5]),
    ("sog", ["Grüße €", "/a/b", "a{sv}"]),
    ("ssss", ["", "a", "ab", "abc"]),
    ("ay", [b"\0\xff"]),
    ("asaaiat", [[], [[], [1, 2]], [7]]),
    ("(y(st))", [[1, ["x", 9]]]),
    ("a{sv}", [{"a": Variant("u", 1), "b": Variant("as", ["x", "y"])}]),
    ("v", [Variant("v", Variant("(ib)", [1, False]))]),
    ("a(usssoo)", [[[1, "u.service", "start", "waiting", "/job/1", "/unit/1"]] * 3]),
    ("a{oa{sa{sv}}}", [{"/a": {"i": {"p": Variant("x", -1)}}}]),
    ("yat", [1, [2, 3]]),
]


@pytest.mark.parametrize(("signature", "values"), VALUES)
def test_values_are_read_as_they_were_written(signature: str, values: list[Any]) -> None:
    data = marshalled(signature, values)
    assert read_values(signature, data, "<") == values
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r"it ends|an array is|signature"):
            read_values(signature, data[:end], "<")


def test_the_other_order_of_bytes() -> None:
    assert read_values("ns", b"\1\2\0\0\0\0\0\1a\0", ">") == [258, "a"]


@pytest.mark.parametrize(
    ("signature", "data"),
    [
        ("b", b"\2\0\0\0"),
        ("s", b"\xff\xff\xff\xff"),
        ("s", b"\2\0\0\0\xff\xfe\0"),
        ("s", b"\1\0\0\0ab"),
        ("s", b"\3\0\0\0a\0b\0"),
        ("au", b"\xf0\xff\xff\x7f"),
        ("au", b"\2\0\0\0\1\0\0\0"),
        ("a{sv}", b"\1\0\0\0"),
        ("v", b"\0\0"),
        ("v", b"\2ss\0\0\0\0\0\0\0\0\0"),
        ("v", b"\7(((((((\0"),
        ("v", b"\1v\0" * 1000),
        ("y", b"\1\0"),
    ],
)
def test_what_is_no_body(signature: str, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever text
        read_values(signature, data, "<")


@pytest.mark.parametrize(
    "signature",
    ["(", ")", "()", "a", "a{s}", "a{vs}", "a{sss}", "{sv}", "z", "a{(s)s}", "(s", "a" * 100 + "y"],
)
def test_what_is_no_signature(signature: str) -> None:
    with pytest.raises(ValueError, match="signature"):
        types_in(signature)


def test_variants_in_one_another_have_an_end() -> None:
    deep: Any = "x"
    for _ in range(DEEPEST):
        deep = Variant("s" if deep == "x" else "v", deep)
    assert read_values("v", marshalled("v", [deep]), "<") == [deep]
    with pytest.raises(ValueError, match="too deep"):
        read_values("v", b"\1v\0" + marshalled("v", [deep]), "<")


def test_bodies_of_chance_raise_one_error_and_take_no_time() -> None:
    """dbus-fast 1.84.2 and 5.2.0 were killed by some like these (SIGSEGV)."""
    chance, began = random.Random(13), time.process_time()
    forms = ["as", "au", "a{sv}", "v", "sa{sv}as", "oa{sv}", "a(usssoo)", "aan", "ab", "gv", "t"]
    for _ in range(3000):
        data = bytearray(chance.randbytes(chance.randrange(60)))
        if len(data) >= 8:
            size = chance.choice([0, 1, 4, 100, 1 << 20, (1 << 31) - 16, (1 << 32) - 1])
            struct.pack_into("<I", data, chance.choice([0, 4]), size)
        try:
            read_values(chance.choice(forms), bytes(data), "<")
        except ValueError:
            continue
    assert time.process_time() - began < 3


# -- what is written


@pytest.mark.parametrize(
    ("signature", "body"),
    [("s", ["a\0b"]), ("s", ["\ud800"]), ("u", [-1]), ("u", ["1"]), ("y", [300]), ("s", [])],
)
def test_what_is_no_message_is_not_sent(signature: str, body: list[Any]) -> None:
    """The bus would end the connection over most of them."""
    with pytest.raises(ValueError, match="no message of D-Bus"):
        encode(Outgoing(SIGNAL, "", "/a", "a.b", "C", signature, body), 1)


@pytest.mark.parametrize("wrong", [{"path": "a"}, {"interface": "a"}, {"member": "a.b"}])
def test_a_name_that_is_none_is_not_sent(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no message of D-Bus"):
        encode(Outgoing(SIGNAL, "", "/a", "a.b", "C")._replace(**wrong), 1)  # type: ignore[arg-type]
