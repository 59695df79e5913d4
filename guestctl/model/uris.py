"""What a libvirt URI says: which host, which daemon.  Pure."""

from __future__ import annotations

import re

#: The word for the connection that libvirt makes where none is named.
DEFAULT = "default"
#: Parameters of a local URI that decide which daemon is reached.
_LEADS = ("socket", "name")
_REMOTE_TRANSPORTS = frozenset({"tcp", "tls", "ssh", "ssh2", "libssh", "libssh2", "ext"})


def why_remote(uri: str) -> str | None:
    """The reason why a URI leads to another host; None for a local one."""
    scheme, _, rest = uri.partition(":")
    transport = scheme.partition("+")[2].lower()
    if transport in _REMOTE_TRANSPORTS:
        return f"it uses the transport {transport}"
    server = rest[2:].split("/", 1)[0] if rest.startswith("//") else ""
    return f"it names the server {server}" if server else None


def is_system(uri: str) -> bool:
    """Whether a URI leads to a daemon of the system, not of a user."""
    return uri.partition("?")[0].endswith("/system")


def canonical(uri: str, *, root: bool) -> str:
    """One spelling for each daemon: it is part of what a guest is known by.

    A local URI needs no transport, no empty server, and of its parameters only those that lead to
    another daemon; for root libvirt takes the session for the system.
    """
    if why_remote(uri):
        return uri
    head, _, query = uri.partition("?")
    scheme, colon, rest = head.partition(":")
    driver, _, transport = scheme.partition("+")
    leads = [part for part in re.split("[&;]", query) if part.partition("=")[0] in _LEADS]
    if transport.lower() == "unix" and not leads:
        scheme = driver
    if rest.startswith("/") and not rest.startswith("//"):
        rest = f"//{rest}"
    uri = f"{scheme}{colon}{rest}{'?' if leads else ''}{'&'.join(leads)}"
    if root and uri == "qemu:///session":
        return "qemu:///system"
    return uri
