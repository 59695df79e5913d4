"""The library that writes D-Bus messages: dbus-fast where it is of use, else dbus-next.

dbus-next is the older one, which nobody looks after any more; dbus-fast is its maintained fork.
Only what both have had in all their versions is used, and only for messages that are sent: the
connection is ours (`bus_connection`), and so is what reads what strangers send (`bus_values`).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .bus_messages import ERROR, METHOD_CALL, METHOD_RETURN, SIGNAL
from .bus_values import Variant


@contextlib.contextmanager
def _not_to_be_found(module: str) -> Iterator[None]:
    before = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]  # importlib's way to say so
    try:
        yield
    finally:
        del sys.modules[module]
        if before is not None:
            sys.modules[module] = before


def _found() -> Any:
    """The first library that is there and writes what it is told to; ImportError."""
    faults = []
    for name in ("dbus_fast", "dbus_next"):
        try:
            library = importlib.import_module(name)
            if _writes_text(library):
                return library
            faults.append(f"{name} writes no text but ASCII")
        except Exception as error:  # noqa: BLE001 - whatever it is, the other one may do
            faults.append(f"{name}: {error}")
    needed = "guestctl needs python3-dbus-fast, 2 or newer, or python3-dbus-next"
    raise ImportError(f"{needed} ({'; '.join(faults)})")


def _writes_text(library: Any) -> bool:
    """dbus-fast 1.84.2, of Debian 12, gives the length of a text in characters, where bytes are
    meant.  The bus ends the connection over the first umlaut.
    """
    fields = {"destination": "a.b", "path": "/", "member": "C", "signature": "s", "body": ["\xfc"]}
    data = bytes(library.Message(serial=1, **fields)._marshall(False))
    return data.endswith(b"\2\0\0\0\xc3\xbc\0")


# dbus-next and dbus-fast 1 import their side for GLib as well, and with it GLib where there is
# one: more than a megabyte for nothing, and time that the guard of a host that goes down does not
# have.
with _not_to_be_found("gi"):
    library = _found()

_KINDS = {
    METHOD_CALL: library.MessageType.METHOD_CALL,
    METHOD_RETURN: library.MessageType.METHOD_RETURN,
    ERROR: library.MessageType.ERROR,
    SIGNAL: library.MessageType.SIGNAL,
}


class Outgoing(NamedTuple):
    """A message that is sent; which fields are needed depends on its kind.

    `flags` are those of the D-Bus specification, "Message Format".
    """

    kind: int
    destination: str = ""
    path: str = ""
    interface: str = ""
    member: str = ""
    signature: str = ""
    body: Sequence[Any] = ()
    reply_serial: int = 0
    error_name: str = ""
    flags: int = 0


def encode(message: Outgoing, serial: int) -> bytes:
    """The message as it goes over the bus; ValueError where it is none."""
    try:
        whole = library.Message(
            message_type=_KINDS[message.kind],
            flags=library.MessageFlag(message.flags),
            serial=serial,
            reply_serial=message.reply_serial,
            destination=message.destination or None,
            path=message.path or None,
            interface=message.interface or None,
            member=message.member or None,
            error_name=message.error_name or None,
            signature=message.signature,
            body=[_wrapped(each) for each in message.body],
        )
        # The one private part: both have it from their first version on, and what is public sends.
        return bytes(whole._marshall(False))
    except Exception as error:  # each version has errors of its own
        raise ValueError(f"no message of D-Bus: {str(error) or repr(error)}") from error


def _wrapped(value: Any) -> Any:
    """The value with the library's variants in place of ours; ValueError."""
    if isinstance(value, str) and "\0" in value:
        # Most versions pass it on, and the bus ends the connection.
        raise ValueError("a text holds a zero byte")
    if isinstance(value, Variant):
        return library.Variant(value.signature, _wrapped(value.value))
    if isinstance(value, (list, tuple)):
        return [_wrapped(each) for each in value]
    if isinstance(value, dict):
        return {key: _wrapped(each) for key, each in value.items()}
    return value
