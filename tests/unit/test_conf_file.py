"""libvirt's configuration files are read as libvirt reads them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.given_files import read_text
from guestctl.host.libvirt.conf_file import read
from guestctl.model.given import NotUnderstood

FILE = Path("/etc/libvirt/qemu.conf")
TEXT = """\
# auto_shutdown_wait = 1
user = "root"   # why
auto_shutdown_wait=30
  a = 'x # "y'
b = \"""several
lines\"""
devices = [
    "/dev/null", # of all
    '/dev/kvm',
]
c = -1
auto_shutdown_wait = 60"""
REFUSED = [
    ("a = 1\nb 2", 2, 'expected a "=" after b'),
    ("a = yes", 1, "expected a number, a text between quotes, or a list"),
    ("a =\nb = 1", 1, "expected a number"),
    ('\na = "x\n', 2, "expected a number, a text"),
    ("a = 1 2", 1, "expected the end of the line after the value of a"),
    ("a = [ 1 2 ]", 1, 'expected a "," or a "]"'),
    ("a = [", 1, 'expected a "]"'),
    ("a = [[[[1]]]]", 1, "expected a number"),
    ("= 1", 1, "expected the name of a setting"),
]


def test_values_and_their_lines() -> None:
    assert {key: (it.value, it.line) for key, it in read(TEXT, FILE).items()} == {
        "user": ("root", 2),
        "auto_shutdown_wait": (60, 12),
        "a": ('x # "y', 4),
        "b": ("several\nlines", 5),
        "devices": (("/dev/null", "/dev/kvm"), 7),
        "c": (-1, 11),
    }


@pytest.mark.parametrize(("text", "line", "said"), REFUSED)
def test_mistakes_are_told_by_line(text: str, line: int, said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(text, FILE)
    assert str(refused.value).startswith(f"{FILE}:{line}: {said}")


marks = st.sampled_from(["a", "=", " ", "\n", "1", '"', "'", '"""', "[", "]", ",", "#", "-", "."])


@given(st.lists(marks, max_size=20).map("".join) | st.text(max_size=20))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        read(text, FILE)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Nor is a pipe waited for."""
    file = tmp_path / "of-others"
    file.write_bytes(b"a\n\xff")
    with pytest.raises(NotUnderstood, match=rf"{file}:2: is not UTF-8 \(byte 2\)"):
        read_text(file)
    for endless in ("/dev/zero", tmp_path):
        with pytest.raises(NotUnderstood, match="is not a plain file"):
            read_text(Path(endless))
    with pytest.raises(OSError, match="No such file"):
        read_text(tmp_path / "none")
