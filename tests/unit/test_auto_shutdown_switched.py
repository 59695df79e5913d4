"""libvirt's own auto-shutdown switched off in its file, and on again: all else stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.libvirt.auto_shutdown import (
    MARK,
    is_marked,
    switch_off,
    switch_on,
    switched_on,
)

CONF = b"""\
# Master configuration file
#auto_shutdown_try_save = "persistent"
user = "root"\r
  auto_shutdown_try_save = "all"   # \xe4nderbar
auto_shutdown_try_shutdown= 'persistent'
auto_shutdown_poweroff = "none"
auto_shutdown_wait = 30
\tauto_shutdown_try_save\t= "persistent"
vnc_listen = "0.0.0.0\""""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "qemu.conf"
    path.write_bytes(CONF)
    return path


def test_all_lines_that_switch_it_on_are_comments_then(conf: Path) -> None:
    """Also one that a later line overrules; not one that says "none"."""
    assert len(switched_on(conf)) == 2
    switch_off(conf)
    assert switched_on(conf) == ()
    assert is_marked(conf)
    marked = [line for line in conf.read_bytes().split(b"\n") if line.startswith(MARK)]
    assert marked == [
        MARK + b'  auto_shutdown_try_save = "all"   # \xe4nderbar',
        MARK + b"auto_shutdown_try_shutdown= 'persistent'",
        MARK + b'\tauto_shutdown_try_save\t= "persistent"',
    ]
    assert b'\nauto_shutdown_poweroff = "none"\nauto_shutdown_wait = 30\n' in conf.read_bytes()


def test_switched_on_again_it_is_what_it_was_to_the_byte(conf: Path) -> None:
    for _ in range(2):
        switch_off(conf)
        switch_off(conf)
        assert conf.read_bytes().count(MARK) == 3
        switch_on(conf)
        switch_on(conf)
        assert conf.read_bytes() == CONF
    assert not is_marked(conf)


def test_nothing_to_switch_is_not_written(conf: Path) -> None:
    conf.write_bytes(b'#auto_shutdown_try_save = "persistent"\n')
    os.utime(conf, (0, 0))
    switch_off(conf)
    switch_on(conf)
    assert conf.stat().st_mtime == 0


def test_what_somebody_wrote_meanwhile_stays(conf: Path) -> None:
    switch_off(conf)
    conf.write_bytes(conf.read_bytes() + b"\nmax_core = 0\n")
    switch_on(conf)
    assert conf.read_bytes() == CONF + b"\nmax_core = 0\n"


LINES = st.sampled_from(
    [
        b'auto_shutdown_try_save = "persistent"',
        b" auto_shutdown_poweroff='all' # all of them",
        b'auto_shutdown_try_shutdown = "none"',
        b"auto_shutdown_wait = 3",
        b'#auto_shutdown_try_save = "all"',
        b"",
        b'nvram = [ "a:b",',
        b"\xff\r",
    ]
)


@given(st.lists(LINES), st.booleans())
def test_whatever_is_in_it_comes_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ends: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.conf"
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    path.write_bytes(content)
    switch_off(path)
    assert switched_on(path) == ()
    switch_on(path)
    assert path.read_bytes() == content


def test_another_programs_file_keeps_its_mode_and_the_link_to_it(conf: Path) -> None:
    conf.chmod(0o640)
    link = conf.with_name("link.conf")
    link.symlink_to(conf.name)
    switch_off(link)
    assert link.is_symlink()
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    assert sorted(path.name for path in conf.parent.iterdir()) == ["link.conf", "qemu.conf"]


def test_it_keeps_its_labels(conf: Path) -> None:
    try:
        os.setxattr(conf, "user.label", b"some")
    except OSError as error:
        pytest.skip(f"no labels on this file system: {error}")
    switch_off(conf)
    assert os.getxattr(conf, "user.label") == b"some"


def test_on_a_full_disk_it_is_what_it_was(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        switch_off(conf)
    assert conf.read_bytes() == CONF
    assert [path.name for path in conf.parent.iterdir()] == ["qemu.conf"]


def test_without_the_file_there_is_nothing_to_switch(tmp_path: Path) -> None:
    assert switched_on(tmp_path / "qemu.conf") == ()
    assert not is_marked(tmp_path / "qemu.conf")
    with pytest.raises(FileNotFoundError):
        switch_off(tmp_path / "qemu.conf")
