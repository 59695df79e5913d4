"""A save is told by the memory in it, whatever was done to its file."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from guestctl.host.save_image import fingerprint

MEMORY = random.Random(1).randbytes(3 * 2**20)


def image(path: Path, memory: bytes = MEMORY, xml: bytes = b"<domain/>", room: int = 1000) -> Path:
    """A save as libvirt makes it: a header, the XML with room to be edited, the memory."""
    numbers = (2, room, 1, 0, 0)
    header = b"LibvirtQemudSave" + b"".join(n.to_bytes(4, sys.byteorder) for n in numbers)
    path.write_bytes(header.ljust(92, b"\0") + xml.ljust(room, b"\0") + memory)
    return path


def test_an_edited_save_is_the_same(tmp_path: Path) -> None:
    one, other = image(tmp_path / "a"), image(tmp_path / "b", xml=b"<domain>edited</domain>")
    assert fingerprint(one) == fingerprint(other) != ""


@pytest.mark.parametrize("at", [0, 2**20, len(MEMORY) - 1])
def test_another_memory_is_another(tmp_path: Path, at: int) -> None:
    """Seen at the beginning and in the last of it; between only by chance."""
    changed = bytearray(MEMORY)
    changed[at : at + 2**18] = bytes(len(changed[at : at + 2**18]))
    one, other = image(tmp_path / "a"), image(tmp_path / "b", bytes(changed))
    assert fingerprint(one) != fingerprint(other)


def test_a_save_that_was_cut_short_is_another(tmp_path: Path) -> None:
    one, other = image(tmp_path / "a"), image(tmp_path / "b")
    os.truncate(other, other.stat().st_size - 2**20)
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "content", [b"", b"LibvirtQemudPart".ljust(5000, b"\0"), b"LibvirtQemudSave", b"\xff" * 5000]
)
def test_what_is_no_complete_save_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert fingerprint(tmp_path / "a") == ""


def test_a_length_that_is_wrong_is_no_error(tmp_path: Path) -> None:
    assert fingerprint(image(tmp_path / "a", room=0)) != ""
    whole = image(tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(whole[:20] + b"\xff" * 4 + whole[24:])
    assert fingerprint(tmp_path / "b") == ""


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "absent")
