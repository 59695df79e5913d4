"""Interfaces on the bus as tables: introspection tells of them, and calls are held to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """Of a method or a signal: its name, and its D-Bus signature."""

    name: str
    signature: str


def signature_of(arguments: Iterable[Argument]) -> str:
    """Of a body that has these."""
    return "".join(argument.signature for argument in arguments)


class Emits(StrEnum):
    """What PropertiesChanged tells: org.freedesktop.DBus.Property.EmitsChangedSignal."""

    VALUE = "true"
    CONST = "const"


@dataclass(frozen=True)
class Method:
    """doc: what it does, for the reference page.  needs: the word for what a caller must be allowed
    to; its exporter knows what that is."""

    name: str
    takes: tuple[Argument, ...] = ()
    returns: tuple[Argument, ...] = ()
    needs: str = ""
    doc: str = ""


@dataclass(frozen=True)
class Property:
    """One that can be read; nobody sets any."""

    name: str
    signature: str
    doc: str = ""
    emits: Emits = Emits.VALUE


@dataclass(frozen=True)
class Signal:
    """What subscribers are told."""

    name: str
    arguments: tuple[Argument, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class Interface:
    """needs: what reading its properties takes, in the same words as of a method."""

    name: str
    methods: tuple[Method, ...] = ()
    properties: tuple[Property, ...] = ()
    signals: tuple[Signal, ...] = ()
    needs: str = ""
    doc: str = ""

    @cached_property
    def methods_by_name(self) -> dict[str, Method]:
        """The methods."""
        return {method.name: method for method in self.methods}

    @cached_property
    def properties_by_name(self) -> dict[str, Property]:
        """The properties."""
        return {row.name: row for row in self.properties}

    @cached_property
    def signals_by_name(self) -> dict[str, Signal]:
        """The signals."""
        return {signal.name: signal for signal in self.signals}

    def changes(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
        """The properties that are different now, but for those that never change."""
        rows = self.properties_by_name
        return {
            name: value
            for name, value in now.items()
            if rows[name].emits is not Emits.CONST and before.get(name) != value
        }


PEER = Interface(
    "org.freedesktop.DBus.Peer",
    (Method("Ping"), Method("GetMachineId", returns=(Argument("machine_uuid", "s"),))),
)
INTROSPECTABLE = Interface(
    "org.freedesktop.DBus.Introspectable",
    (Method("Introspect", returns=(Argument("xml_data", "s"),)),),
)
_WHICH = Argument("interface_name", "s")
PROPERTIES = Interface(
    "org.freedesktop.DBus.Properties",
    (
        Method("Get", (_WHICH, Argument("property_name", "s")), (Argument("value", "v"),)),
        Method("GetAll", (_WHICH,), (Argument("properties", "a{sv}"),)),
        Method("Set", (_WHICH, Argument("property_name", "s"), Argument("value", "v"))),
    ),
    signals=(
        Signal(
            "PropertiesChanged",
            (
                _WHICH,
                Argument("changed_properties", "a{sv}"),
                Argument("invalidated_properties", "as"),
            ),
        ),
    ),
)
#: What every object has.
STANDARD = (PEER, INTROSPECTABLE, PROPERTIES)

_DOCTYPE = (
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
    ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n'
)


def introspection(interfaces: Iterable[Interface], children: Iterable[str]) -> str:
    """What Introspect answers.  children: names of the objects right below."""
    lines = ["<node>"]
    for interface in (*STANDARD, *interfaces):
        lines += _interface(interface)
    lines += [f" <node name={_quoted(child)}/>" for child in children]
    return _DOCTYPE + "\n".join([*lines, "</node>", ""])


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def _interface(interface: Interface) -> list[str]:
    lines = [f" <interface name={_quoted(interface.name)}>"]
    for method in interface.methods:
        lines.append(f"  <method name={_quoted(method.name)}>")
        lines += [_argument(it, ' direction="in"') for it in method.takes]
        lines += [_argument(it, ' direction="out"') for it in method.returns]
        lines.append("  </method>")
    for row in interface.properties:
        name, kind = _quoted(row.name), _quoted(row.signature)
        lines += [
            f'  <property name={name} type={kind} access="read">',
            f'   <annotation name="{_EMITS}" value={_quoted(row.emits)}/>',
            "  </property>",
        ]
    for signal in interface.signals:
        lines.append(f"  <signal name={_quoted(signal.name)}>")
        lines += [_argument(it, "") for it in signal.arguments]
        lines.append("  </signal>")
    return [*lines, " </interface>"]


def _argument(argument: Argument, direction: str) -> str:
    name, signature = _quoted(argument.name), _quoted(argument.signature)
    return f"   <arg name={name} type={signature}{direction}/>"


def _quoted(text: str) -> str:
    """As an attribute's value; xml.sax.saxutils has that too, and brings 0.8 MiB along."""
    return f'"{text.translate(_ESCAPES)}"'
