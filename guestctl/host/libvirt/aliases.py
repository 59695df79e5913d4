"""libvirt's own names for connections, `uri_aliases` and `uri_default` of libvirt.conf: one guest
has one identity.

A connection that is open tells what it is (virConnectGetURI), but only then: which guests were up
on it must be known before libvirtd can be reached.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from ...model.uris import DEFAULT
from .. import machine

#: Of root's clients.
FILE = Path("/etc/libvirt/libvirt.conf")
#: What libvirt takes for one (virConnectOpenCheckURIAliases); all else is a URI.
_ALIAS = re.compile(r"[A-Za-z0-9_-]+")
_LIST = re.compile(r"^\s*uri_aliases\s*=\s*\[(.*?)\]", re.DOTALL | re.MULTILINE)
_DEFAULT = re.compile(r"""^\s*uri_default\s*=\s*(["'])(.+?)\1""", re.MULTILINE)
_ENTRY = re.compile(r"""(["'])([A-Za-z0-9_-]+)=(.*?)\1""")
#: In which order libvirtd, and libvirt's client in place of it, looks for one that has a driver
#: (remote_sockets.c); as its modules and its URIs call it.
_DRIVERS = (("libxl", "xen"), ("qemu", "qemu"), ("lxc", "lxc"), ("vbox", "vbox"))
_MODULES = ("lib/*/libvirt", "lib64/libvirt", "lib/libvirt")
#: Its driver is there on any host that has the module; it works on one that runs under Xen.
_XEN = Path("/proc/xen/capabilities")


class Default(NamedTuple):
    """The connection where none is named, and by what it is that one."""

    uri: str
    why: str


def resolved(uri: str) -> str:
    """The URI that libvirt takes a name for; the text itself where it is no such name."""
    if not _ALIAS.fullmatch(uri):
        return uri
    return default().uri if uri == DEFAULT else _aliases(_text(_file())).get(uri, uri)


def default() -> Default:
    """The connection that root's virsh takes where none is named, whatever its environment says.

    The same for whoever asks.  libvirt is not asked: which guests were up must be known before it
    answers, and by what is installed it is the same at each time.
    """
    text = _text(FILE)
    known = _aliases(text)
    if DEFAULT in known:
        return Default(known[DEFAULT], f"uri_aliases of {FILE}")
    if found := _DEFAULT.search(text):
        return Default(known.get(found[2], found[2]), f"uri_default of {FILE}")
    driver = next((uri for module, uri in _DRIVERS if _has(module)), "qemu")
    return Default(f"{driver}:///system", "the first of libvirt's drivers that is installed")


def _has(module: str) -> bool:
    name = f"connection-driver/libvirt_driver_{module}.so"
    installed = any(True for folder in _MODULES for _ in _PREFIX.glob(f"{folder}/{name}"))
    return installed and (module != "libxl" or _XEN.exists())


_PREFIX = Path("/usr")


def _text(file: Path) -> str:
    """Of its lines those that count; empty where it cannot be read."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _aliases(text: str) -> dict[str, str]:
    found = _LIST.search(text)
    entries = _ENTRY.findall(found[1]) if found else []
    return {alias: uri for _, alias, uri in reversed(entries)}  # the first of one name counts


def _file() -> Path:
    if machine.is_root():
        return FILE
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(base or Path.home() / ".config") / "libvirt/libvirt.conf"
