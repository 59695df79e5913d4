"""Managed saves in libvirt's folder that belong to no guest: an undefine that left its save behind,
as an offline migration does; a definition that was removed by hand; a rename.

libvirt goes by the name of the file alone as it starts a guest (libvirt 9.0, 11.3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from ..model.host_folders import StraySave
from .save_image import HEADER, MAGIC, xml_length

#: Of the XML in a save; the guest's UUID stands near its beginning.
_LONGEST = 2**16
_UUID = re.compile(rb"<uuid>\s*([0-9a-fA-F-]{32,36})\s*</uuid>")
_END = ".save"


def look(folder: Path, names: Collection[str]) -> tuple[StraySave, ...]:
    """Saves of others than these guests.  Raises OSError; blocks for as long as the disk does."""
    try:
        with os.scandir(folder) as listing:
            files = sorted(it.name for it in listing if it.name.endswith(_END) and it.is_file())
    except FileNotFoundError:
        return ()
    strays = (name for name in files if name.removesuffix(_END) not in names)
    found = (_stray(folder / name) for name in strays)
    return tuple(stray for stray in found if stray)


def _stray(file: Path) -> StraySave | None:
    """None where it is gone by now."""
    try:
        with file.open("rb") as image:
            size = image.seek(0, 2)
            image.seek(0)
            return StraySave(str(file), size, _uuid(image.read(_LONGEST)))
    except FileNotFoundError:
        return None


def _uuid(begin: bytes) -> str:
    """Of the guest that was saved; "" where it is no save, or has none."""
    if not begin.startswith(MAGIC):
        return ""
    found = _UUID.search(begin, HEADER, HEADER + xml_length(begin))
    return found.group(1).decode() if found else ""
