"""The data file of a qcow2 image, as qemu-img makes it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.qcow2 import data_file
from guestctl.host.storage import HostStorage
from guestctl.model.guest import Disk, DiskKind

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-img")


def make(path: Path, *options: str) -> Path:
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"]
    subprocess.run(argv, check=True, timeout=30, cwd=path.parent)
    return path


@needs_qemu_img
@pytest.mark.parametrize("raw", ["off", "on"])
def test_a_data_file_is_found(tmp_path: Path, raw: str) -> None:
    options = f"data_file={tmp_path}/data.raw,data_file_raw={raw}"
    assert data_file(make(tmp_path / "a", "-o", options)) == f"{tmp_path}/data.raw"


@needs_qemu_img
def test_its_name_may_be_relative(tmp_path: Path) -> None:
    image = make(tmp_path / "a", "-o", "data_file=data.raw")
    assert data_file(image) == f"{tmp_path}/data.raw"


@needs_qemu_img
def test_an_image_without_one_has_none(tmp_path: Path) -> None:
    assert data_file(make(tmp_path / "a")) is None
    base = ["-b", "a", "-F", "qcow2"]
    assert data_file(make(tmp_path / "b", *base)) is None
    assert data_file(make(tmp_path / "c", "-o", "compat=0.10")) is None


@needs_qemu_img
def test_it_is_stamped_with_its_image(tmp_path: Path) -> None:
    image = make(tmp_path / "a", "-o", "data_file=data.raw")
    disk, data = (Disk(DiskKind.FILE, str(path)) for path in (image, tmp_path / "data.raw"))
    assert stamped(disk) == [disk, data]


def stamped(disk: Disk) -> list[Disk]:
    return list(asyncio.run(HostStorage().stamps([disk])))


@given(st.binary(max_size=300), st.booleans())
def test_no_content_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, rest: bytes, magic: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes((b"QFI\xfb" if magic else b"") + rest)
    data_file(path)
