"""Mounts an empty FUSE file system of a given kind on a folder, until it is unmounted.

Run on a host, with the kind, such as fuse.sshfs, and the folder: a network file system of which
nobody needs another machine.  What the kernel asks and is told is in its linux/fuse.h, 7.31.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from stat import S_IFCHR, S_IFDIR

HEADER, ANSWER = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
LARGEST = 1 << 17
LOOKUP, FORGET, GETATTR, STATFS, INIT = 1, 2, 3, 17, 26
OPENDIR, READDIR, RELEASEDIR = 27, 28, 29
INTERRUPT, BATCH_FORGET = 36, 42
UNANSWERED = (FORGET, INTERRUPT, BATCH_FORGET)
ROOM = 1 << 20

ANSWERS = {
    INIT: struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 1 << 16, 1, 0, 0, 0),
    GETATTR: struct.pack("<QII6Q10I", 1, 0, 0, 1, *[0] * 8, S_IFDIR | 0o755, 2, 0, 0, 0, 4096, 0),
    STATFS: struct.pack("<5Q4I24x", ROOM, ROOM, ROOM, ROOM, ROOM, 4096, 255, 4096, 0),
    OPENDIR: struct.pack("<QII", 0, 0, 0),
    READDIR: b"",
    RELEASEDIR: b"",
}


def mount(device: int, kind: str, folder: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    words = [word.encode() for word in ("other:/srv", folder, kind)]
    if libc.mount(*words, ctypes.c_ulong(0), options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount", folder)


def serve(device: int) -> None:
    while request := os.read(device, LARGEST):
        _, opcode, unique, *_ = HEADER.unpack_from(request)
        if opcode not in UNANSWERED:
            os.write(device, answer(opcode, unique))


def answer(opcode: int, unique: int) -> bytes:
    """There is no file; what is not known here the kernel can do without."""
    body = ANSWERS.get(opcode)
    if body is None:
        error = errno.ENOENT if opcode == LOOKUP else errno.ENOSYS
        return ANSWER.pack(ANSWER.size, -error, unique)
    return ANSWER.pack(ANSWER.size + len(body), 0, unique) + body


def main(kind: str, folder: str) -> None:
    node = f"/var/tmp/fuse-{os.getpid()}"  # /run takes no devices
    os.mknod(node, S_IFCHR | 0o600, os.makedev(10, 229))
    device = os.open(node, os.O_RDWR)
    os.unlink(node)
    mount(device, kind, folder)
    try:
        serve(device)
    except OSError as error:
        if error.errno != errno.ENODEV:  # it was unmounted
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
