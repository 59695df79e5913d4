"""Names of libvirt.conf for connections are what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host.libvirt import aliases

CONF = """
# uri_aliases = ["prod=qemu:///elsewhere"]
uri_default = "qemu:///system"
uri_aliases = [
  "prod=qemu:///system",
  # "off=test:///default",
  'there=qemu+ssh://root@there/system', "prod=test:///second",
]
"""


@pytest.fixture(autouse=True)
def conf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A libvirt.conf of our own."""
    file = tmp_path / "libvirt.conf"
    file.write_text(CONF)
    monkeypatch.setattr(aliases, "_file", lambda: file)
    return file


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("prod", "qemu:///system"),
        ("there", "qemu+ssh://root@there/system"),
        ("off", "off"),
        ("qemu:///system", "qemu:///system"),
        ("", ""),
    ],
)
def test_a_name_is_what_it_stands_for(written: str, means: str) -> None:
    assert aliases.resolved(written) == means


@pytest.mark.parametrize("text", ["", "uri_aliases = [", "uri_aliases = []", "\0", "uri_aliases=7"])
def test_a_file_without_names(conf: Path, text: str) -> None:
    conf.write_text(text)
    assert aliases.resolved("prod") == "prod"


def test_without_a_file(conf: Path) -> None:
    conf.unlink()
    assert aliases.resolved("prod") == "prod"
