"""Bad calls to org.guestctl1, made up from what it tells of itself; run on a host, as some user.

Arguments: how many, and the seed.  Prints as JSON how often each answer came.  Nothing that is
sent could do anything to a guest that there is, whoever sends it.
"""

from __future__ import annotations

import json
import math
import os
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from xml.etree import ElementTree

from tests.host.hostile import CALL, ERROR, RETURN, Connection, Field, Heard
from tests.host.wire import NUMBERS, marshal, types

NAME, ROOT = "org.guestctl1", "/org/guestctl1"
PROPERTIES = "org.freedesktop.DBus.Properties"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
#: They are never sent as they should be.
ACTS = frozenset(
    (
        *("Preserve", "Shutdown", "Start", "Shed", "Resume", "Cancel"),
        *("Hold", "Release", "Forget", "SetPolicy", "Reload"),
    )
)
#: Seconds for an answer.
LIMIT = 30.0
#: What is counted beside the names of errors.
RETURNED, SILENT, THROWN_OUT, ACTED = "returned", "silent", "thrown out", "acted"


class Method(NamedTuple):
    path: str
    interface: str
    name: str
    signature: str


class Call(NamedTuple):
    """What is sent; fields are beside those that every call has."""

    path: str
    interface: str
    member: str
    signature: str = ""
    body: bytes = b""
    descriptors: int = 0


def methods(connection: Connection, path: str = ROOT) -> Iterator[Method]:
    """All that it tells of, on all its objects."""
    heard = answer(connection, Call(path, INTROSPECTABLE, "Introspect"))
    assert heard.kind == RETURN, f"{path} tells nothing: {heard.error}"
    tree = ElementTree.fromstring(heard.body[4:-1].decode())
    for interface in tree.iter("interface"):
        for method in interface.iter("method"):
            takes = [it.get("type", "") for it in method if it.get("direction") == "in"]
            yield Method(path, interface.get("name", ""), method.get("name", ""), "".join(takes))
    for node in tree.iterfind("node"):
        with suppress(AssertionError):  # gone meanwhile
            yield from methods(connection, f"{path}/{node.get('name')}")


def put(connection: Connection, call: Call) -> int:
    """Send it; its serial number."""
    fields: list[Field] = [(1, "o", call.path), (3, "s", call.member), (6, "s", NAME)]
    fields += [(2, "s", call.interface)] if call.interface else []
    fields += [(8, "g", call.signature)] if call.signature else []
    fields += [(9, "u", call.descriptors)] if call.descriptors else []
    return connection.send(CALL, fields, call.body, fds=[0] * call.descriptors)


def answer(connection: Connection, call: Call) -> Heard:
    """The reply; OSError, also for none in time, EOFError for a connection that is closed."""
    serial = put(connection, call)
    while True:
        heard = connection.receive()
        if heard.kind in (RETURN, ERROR) and heard.reply_to == serial:
            return heard


class Dice:
    """Makes up calls."""

    def __init__(self, seed: int, known: list[Method]) -> None:
        self.random = random.Random(seed)
        self.known = known
        self.ways = (
            *(self.odd_values, self.odd_values, self.other_signature, self.other_object),
            *(self.other_member, self.property, self.too_large, self.no_value),
            *(self.with_descriptors, self.no_interface),
        )

    def call(self) -> Call:
        """Any bad one."""
        way = self.random.choice(self.ways)
        return way(self.random.choice(self.known))

    def odd_values(self, method: Method) -> Call:
        """Of the signature that it should have; one that acts has an option that there is not."""
        acts = method.name in ACTS
        if acts and "a{sv}" not in method.signature:
            return self.other_signature(method)
        values = [self.value(kind) for kind in types(method.signature)]
        if acts:
            values[-1] = {**values[-1], "no such option": ("s", "")}
        return self._made(method, method.signature, values)

    def other_signature(self, method: Method) -> Call:
        signature = method.signature
        while signature == method.signature:
            signature = "".join(self.kind() for _ in range(self.random.randint(0, 4)))
        return self._made(method, signature, [self.value(kind) for kind in types(signature)])

    def other_object(self, method: Method) -> Call:
        ends = ("/no", "/guest/no/such", "/run/18446744073709551616", "/run/0", "/guest", "/_")
        path = method.path.removesuffix("/") + self.random.choice(ends)
        return self.odd_values(method._replace(path=path))

    def other_member(self, method: Method) -> Call:
        names = ("Destroy", "get", "_private", "__init__", "Exit", "A" * 255)
        return self.odd_values(method._replace(name=self.random.choice(names)))

    def property(self, method: Method) -> Call:
        """Reads, or sets, one that there is or is not."""
        names = [method.interface, self.random.choice(("Version", "Name", "State", "No", ""))]
        name, signature = self.random.choice((("Get", "ss"), ("GetAll", "s"), ("Set", "ssv")))
        values = [*names, self.value("v")][: len(signature)]
        return self._made(method._replace(interface=PROPERTIES, name=name), signature, values)

    def too_large(self, method: Method) -> Call:
        size = self.random.choice((64 << 10, (64 << 10) + 1, 1 << 20))
        signature = self.random.choice(("ay", "s", "as"))
        value = {"ay": bytes(size), "s": "x" * size, "as": ["x" * 100] * (size // 100)}[signature]
        return self._made(method, signature, [value])

    def no_value(self, method: Method) -> Call:
        """Bytes that are no such thing: the bus itself throws out who sends them."""
        body = self.random.randbytes(self.random.randint(1, 64))
        return Call(*method[:3], method.signature or "as", body)

    def with_descriptors(self, method: Method) -> Call:
        return self.odd_values(method)._replace(descriptors=self.random.randint(1, 16))

    def no_interface(self, method: Method) -> Call:
        return self.other_signature(method)._replace(interface="")

    def _made(self, method: Method, signature: str, values: list[Any]) -> Call:
        return Call(*method[:3], signature, marshal(signature, values))

    def kind(self) -> str:
        kinds: list[str] = [*NUMBERS, *"sogv", "as", "ay", "a{sv}", "a(ss)", "(sst)", "aas"]
        return self.random.choice(kinds)

    def value(self, kind: str, depth: int = 0) -> Any:
        """Some odd value of a type."""
        pick = self.random.choice
        if kind in NUMBERS:
            return pick(_ODD[kind])
        if kind in ("s", "o", "g"):
            return pick({"s": _TEXTS, "o": ("/", ROOT, "/a/b"), "g": ("", "s", "a{sv}")}[kind])
        if kind == "v":
            inner = pick(("s", "d", "u", "as", "v")) if depth < 20 else "s"
            return (inner, self.value(inner, depth + 1))
        if kind[0] == "a":
            return self._array(kind[1:], depth)
        return tuple(self.value(part, depth + 1) for part in types(kind[1:-1]))

    def _array(self, kind: str, depth: int) -> Any:
        if kind[0] == "{":
            keys = ("reason", "within", "profile", "all", "run", "decision", "command", "no", "")
            chosen = self.random.sample(keys, self.random.randint(1, 3))
            return {key: self.value(kind[2:-1], depth + 1) for key in chosen}
        if kind == "y":
            return self.random.randbytes(20)
        if kind == "s" and not depth and self.random.random() < 0.1:
            return ["x"] * 5000
        return [self.value(kind, depth + 1) for _ in range(self.random.randint(1, 4))]


#: None of them is a guest's name.
_TEXTS = (
    *("", " ", "no such guest", "*", "?", "[", "-c", "--all", "../../etc/passwd", "%s%n"),
    *("\x01\x1b[31m", "a\nb", "x" * 4096, "x" * 4097, "\u00fc" * 3000, "\U0001f4a9", "' OR 1=1"),
)
_REALS = (0.0, -1.0, 1e308, -1e308, math.nan, math.inf, -math.inf, 5e-324)
_ODD: dict[str, tuple[Any, ...]] = {"b": (0, 1), "d": _REALS}
for _kind, _form in NUMBERS.items():
    _bits = 8 * struct.calcsize(_form)
    _signed = _form.islower()
    _limits = (-(1 << (_bits - 1)), (1 << (_bits - 1)) - 1) if _signed else (0, (1 << _bits) - 1)
    _ODD.setdefault(_kind, (0, 1, *_limits))


def send(connection: Connection, call: Call) -> str:
    """What came of it."""
    heard = answer(connection, call)
    if heard.kind == ERROR:
        return heard.error
    return ACTED if call.member in ACTS else RETURNED


def fuzz(many: int, seed: int) -> dict[str, Any]:
    """How often each answer came, and how long the slowest took."""
    connection = Connection(LIMIT)
    dice = Dice(seed, list(methods(connection)))
    came: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(many):
        call, begun = dice.call(), time.monotonic()
        try:
            came[send(connection, call)] += 1
        except TimeoutError:
            came[SILENT] += 1
            print("no answer to", repr(call)[:500], file=sys.stderr)
            connection = Connection(LIMIT)
        except (OSError, EOFError):
            came[THROWN_OUT] += 1
            connection = Connection(LIMIT)
        slowest = max(slowest, time.monotonic() - begun)
    return {"user": os.getuid(), "slowest": slowest, "came": dict(came)}


if __name__ == "__main__":
    print(json.dumps(fuzz(*map(int, sys.argv[1:]))))
