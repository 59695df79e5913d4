"""Messages as bytes, of any form: as a bus writes them, and as only a bad one would."""

from __future__ import annotations

from typing import Any

from guestctl.host.bus_messages import SIGNAL, _header_size
from guestctl.host.bus_values import Variant
from guestctl.host.dbus_library import Outgoing
from guestctl.host.dbus_library import encode as encode_whole

_CODES = {
    "path": (1, "o"),
    "interface": (2, "s"),
    "member": (3, "s"),
    "error_name": (4, "s"),
    "reply_serial": (5, "u"),
    "destination": (6, "s"),
    "sender": (7, "s"),
    "signature": (8, "g"),
    "unix_fds": (9, "u"),
}


def encode(kind: int, body: list[Any], **fields: Any) -> bytes:
    """A message with these fields in its header."""
    return encode_raw(kind, marshalled(fields.get("signature", ""), body), **fields)


def encode_raw(kind: int, body: bytes, **fields: Any) -> bytes:
    """A message with a body that is taken as it is."""
    header_fields = [
        [code, Variant(form, fields[name])]
        for name, (code, form) in _CODES.items()
        if name in fields
    ]
    values = [ord("l"), kind, 0, 1, len(body), 1, header_fields]
    header = marshalled("yyyyuua(yv)", values)
    return header + bytes(-len(header) % 8) + body


def marshalled(signature: str, values: list[Any]) -> bytes:
    """The values as they stand in a body."""
    whole = encode_whole(Outgoing(SIGNAL, "", "/a", "a.b", "c", signature, values), 1)
    return whole[_header_size(whole) :]
