"""Where a qcow2 image leaves its data, if not in itself: libvirt tells that from 10.10 on only."""

from __future__ import annotations

import struct
from pathlib import Path

#: QEMU's docs/interop/qcow2.rst: big-endian; from version 3 on the header says how long it is.
_MAGIC = b"QFI\xfb"
_VERSION, _FEATURES, _LENGTH, _READ = 4, 72, 100, 4096
_EXTERNAL_DATA, _DATA_FILE, _END = 4, 0x44415441, 0


def data_file(image: Path) -> str | None:
    """The path of the image's data file; None for an image without one, or for no qcow2.

    Raises OSError.
    """
    with image.open("rb") as file:
        header = file.read(_READ)
    if not header.startswith(_MAGIC) or len(header) < _LENGTH + 4:
        return None
    if _number(header, _VERSION) < 3 or not _number(header, _FEATURES + 4) & _EXTERNAL_DATA:
        return None
    name = _extension(header, _number(header, _LENGTH))
    return str(image.parent / name) if name else None


def _extension(header: bytes, at: int) -> str:
    """The name in the header's extensions, of which each is as long as it says."""
    while at + 8 <= len(header):
        kind, length = _number(header, at), _number(header, at + 4)
        if kind == _DATA_FILE:
            return header[at + 8 : at + 8 + length].decode(errors="surrogateescape")
        if kind == _END:
            break
        at += 8 + (length + 7) // 8 * 8
    return ""


def _number(header: bytes, at: int) -> int:
    number: int = struct.unpack_from(">I", header, at)[0]
    return number
