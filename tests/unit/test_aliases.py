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
    monkeypatch.setattr(aliases, "FILE", file)
    monkeypatch.setattr(aliases, "_file", lambda: file)
    monkeypatch.setattr(aliases, "_PREFIX", tmp_path)
    monkeypatch.setattr(aliases, "_XEN", tmp_path / "xen")
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


# The default connection

DEFAULTS = [
    ("uri_default = 'lxc:///system'", "lxc:///system"),
    ('#uri_default = "lxc:///system"', "qemu:///system"),
    ('uri_default = "box"\nuri_aliases = ["box=lxc:///system"]', "lxc:///system"),
    ('uri_default = ""', "qemu:///system"),
    ("uri_default = lxc:///system", "qemu:///system"),
    ('uri_default = "lxc:///system"\nuri_default = "vbox:///system"', "lxc:///system"),
    ('uri_aliases = ["default=lxc:///system"]', "lxc:///system"),
    ("", "qemu:///system"),
    ("\0", "qemu:///system"),
]


@pytest.mark.parametrize(("text", "uri"), DEFAULTS)
def test_the_default_is_that_of_its_file(conf: Path, text: str, uri: str) -> None:
    conf.write_text(text)
    assert aliases.resolved("default") == uri


def install(folder: Path, *modules: str) -> None:
    place = folder / "lib/x86_64-linux-gnu/libvirt/connection-driver"
    place.mkdir(parents=True)
    for module in modules:
        (place / f"libvirt_driver_{module}.so").touch()


@pytest.mark.parametrize(
    ("modules", "xen", "uri"),
    [
        (("lxc", "qemu", "libxl"), False, "qemu:///system"),
        (("lxc", "qemu", "libxl"), True, "xen:///system"),
        (("lxc", "vbox"), True, "lxc:///system"),
        ((), True, "qemu:///system"),
    ],
)
def test_else_it_is_the_first_driver_that_is_there(
    conf: Path, tmp_path: Path, modules: tuple[str, ...], xen: bool, uri: str
) -> None:
    conf.unlink()
    install(tmp_path, *modules)
    if xen:
        (tmp_path / "xen").touch()
    assert aliases.default().uri == uri


def test_it_is_the_same_whoever_asks(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is the host's: a user's own libvirt.conf does not change what it means."""
    conf.write_text('uri_default = "lxc:///system"')
    monkeypatch.setattr(aliases, "_file", lambda: conf.parent / "of-a-user.conf")
    assert aliases.resolved("default") == "lxc:///system"
