"""Calls made up from an object's own introspection: right ones, and wrong ones of every kind."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any, NamedTuple

from guestctl.host.bus_values import Variant, types_in

_BASIC = "ybnqiuxtdsog"
_NUMBERS = {"y": 8, "n": -16, "q": 16, "i": -32, "u": 32, "x": -64, "t": 64}
_TEXTS = (
    "",
    "web",
    "é🐧",
    "*",
    "../../etc/passwd",
    "\n\x1b[31m",
    "-",
    "%s%n",
    "'\"<&>",
    "0",
    "x" * 300,
)
_PATHS = ("/", "/org", "/a/b_1/C", "/" + "a" * 200)
_OTHERS = (
    "",
    "s",
    "ss",
    "as",
    "a{sv}",
    "v",
    "u",
    "t",
    "o",
    "asa{sv}",
    "a(ss)",
    "aas",
    "(a{sv}d)",
    "ay",
)


class OddCall(NamedTuple):
    """What is called, and with what."""

    interface: str
    member: str
    signature: str
    body: Sequence[Any]


def odd_call(introspection: str, chance: random.Random) -> OddCall:
    """Some call: most go to a method that is there, about half have what it takes."""
    interface, member, signature = chance.choice(_methods(introspection))
    if chance.random() < 0.5:
        signature = chance.choice(_OTHERS)
    if chance.random() < 0.1:
        member = chance.choice(("Nonsense", "_", member.lower(), "M" * 255))
    if chance.random() < 0.1:
        interface = chance.choice(("", "a.b", interface + "1", "org.freedesktop.DBus"))
    body = [odd_value(kind, chance) for kind in types_in(signature)]
    return OddCall(interface, member, signature, body)


def odd_value(kind: str, chance: random.Random, depth: int = 0) -> Any:
    """A value of one complete type, which any bus passes on."""
    first = kind[0]
    if first in _NUMBERS:
        return _number(_NUMBERS[first], chance)
    if first in "bd":
        return chance.random() < 0.5 if first == "b" else chance.choice((0.0, -1.5, 1e308, 5e-324))
    if first in "so":
        return chance.choice(_TEXTS if first == "s" else _PATHS)
    if first == "g":
        return chance.choice(_OTHERS)
    if first == "v":
        inner = chance.choice(_BASIC if depth > 6 else [*_BASIC, "v", "as", "a{sv}", "(sv)"])
        return Variant(inner, odd_value(inner, chance, depth + 1))
    return _container(kind, chance, depth + 1)


def _number(width: int, chance: random.Random) -> int:
    least, most = (
        (0, (1 << width) - 1) if width > 0 else (-1 << (-width - 1), (1 << (-width - 1)) - 1)
    )
    return chance.choice((least, most, 0, 1, chance.randint(least, most)))


def _container(kind: str, chance: random.Random, depth: int) -> Any:
    if kind[0] == "(":
        return [odd_value(each, chance, depth) for each in types_in(kind[1:-1])]
    count = chance.choice((0, 1, 2, 40 if depth < 2 else 0))
    if kind == "ay":
        return chance.randbytes(count)
    if kind[1] == "{":
        key, value = types_in(kind[2:-1])
        pairs = (
            (odd_value(key, chance, depth), odd_value(value, chance, depth)) for _ in range(count)
        )
        return dict(pairs)
    return [odd_value(kind[1:], chance, depth) for _ in range(count)]


def _methods(introspection: str) -> list[tuple[str, str, str]]:
    found = []
    for interface in ET.fromstring(introspection).findall("interface"):
        for method in interface.findall("method"):
            arguments = method.findall("arg[@direction='in']")
            signature = "".join(each.attrib["type"] for each in arguments)
            found.append((interface.attrib["name"], method.attrib["name"], signature))
    return found
