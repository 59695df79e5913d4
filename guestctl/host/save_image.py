"""What tells one managed save from another, whatever was done to its file: the memory in it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: libvirt's qemu_saveimage.h: magic, then version, length of the XML and what follows it up to the
#: memory, and more, in the host's order of bytes.  The XML can be edited, within that length.
MAGIC = b"LibvirtQemudSave"
_LENGTH_AT, HEADER = 20, 92
#: Beginning and end are looked at in one piece: the state of processors and clocks, which is never
#: the same twice, is in one of them.  Between, pages here and there.
_HEAD, _TAIL, _PAGE, _PAGES = 2**16, 2**20, 4096, 16
#: Read in pieces of so many bytes: a thread keeps the memory of the largest that it ever had, and
#: many look at saves when a host has begun (glibc's arenas; mallopt(3), M_MMAP_THRESHOLD).
_PIECE = 2**16


def fingerprint(path: Path) -> str:
    """Of the memory in a save; empty for a file that is none, or none that is complete.

    Raises OSError.  Reads about 1.1 MiB, with few seeks: other saves are being written.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(HEADER)
        begin = HEADER + xml_length(header)
        if not header.startswith(MAGIC) or begin >= size:
            return ""
        found = hashlib.sha256(str(size - begin).encode())
        for part in _parts(file, begin, size):
            found.update(part)
    return found.hexdigest()[:32]


def xml_length(header: bytes) -> int:
    """Of the guest's XML, which follows the header."""
    return int.from_bytes(header[_LENGTH_AT : _LENGTH_AT + 4], sys.byteorder)


def _parts(file: BinaryIO, begin: int, size: int) -> Iterator[bytes]:
    yield from _read(file, begin, _HEAD)
    for number in range(1, _PAGES):
        yield from _read(file, begin + (size - begin) * number // _PAGES, _PAGE)
    yield from _read(file, max(begin, size - _TAIL), _TAIL)


def _read(file: BinaryIO, at: int, length: int) -> Iterator[bytes]:
    file.seek(at)
    for piece in range(0, length, _PIECE):
        yield file.read(min(_PIECE, length - piece))
