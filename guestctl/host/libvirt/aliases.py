"""libvirt's own names for connections, `uri_aliases` of libvirt.conf: one guest has one identity.

A connection that is open tells what it is (virConnectGetURI), but only then: which guests were up
on it must be known before libvirtd can be reached.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .. import machine

_SYSTEM = Path("/etc/libvirt/libvirt.conf")
#: What libvirt takes for one (virConnectOpenCheckURIAliases); all else is a URI.
_ALIAS = re.compile(r"[A-Za-z0-9_-]+")
_LIST = re.compile(r"^\s*uri_aliases\s*=\s*\[(.*?)\]", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(r"""(["'])([A-Za-z0-9_-]+)=(.*?)\1""")


def resolved(uri: str) -> str:
    """The URI that libvirt takes a name for; the text itself where it is no such name."""
    return _aliases().get(uri, uri) if _ALIAS.fullmatch(uri) else uri


def _aliases() -> dict[str, str]:
    try:
        text = _file().read_text(errors="replace")
    except OSError:
        return {}
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = _LIST.search("\n".join(lines))
    entries = _ENTRY.findall(found[1]) if found else []
    return {alias: uri for _, alias, uri in reversed(entries)}  # the first of one name counts


def _file() -> Path:
    if machine.is_root():
        return _SYSTEM
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(base or Path.home() / ".config") / "libvirt/libvirt.conf"
