"""What a libvirt URI says: which host, which daemon.  Pure."""

from __future__ import annotations

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

    A local URI needs no transport; for root libvirt takes the session for the system.
    """
    scheme, colon, rest = uri.partition(":")
    driver, _, transport = scheme.partition("+")
    if transport.lower() == "unix" and "?" not in rest:
        uri = f"{driver}{colon}{rest}"
    if root and uri == "qemu:///session":
        return "qemu:///system"
    return uri
