"""What a libvirt URI says: which host, which daemon, which spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model.uris import canonical, is_system, why_remote

LOCAL = [
    "qemu:///system",
    "qemu:///session",
    "qemu+unix:///system",
    "qemu+unix:///session?socket=/run/x/sock",
    "test:///default",
    "test:///tmp/a/node.xml",
    "xen:///system",
    "lxc:",
    "",
]
REMOTE = [
    ("qemu+ssh://there/system", "the transport ssh"),
    ("qemu+ssh:///system", "the transport ssh"),
    ("qemu+tcp://there/system", "the transport tcp"),
    ("qemu+tls://there/system", "the transport tls"),
    ("qemu+SSH://there/system", "the transport ssh"),
    ("qemu+libssh2://there/system", "the transport libssh2"),
    ("qemu+ext:///system?command=x", "the transport ext"),
    ("qemu://there/system", "the server there"),
    ("qemu://user@there:16514/system", "the server user@there:16514"),
    ("qemu+unix://there/system", "the server there"),
    ("esx://there", "the server there"),
]


@pytest.mark.parametrize("uri", LOCAL)
def test_local(uri: str) -> None:
    assert why_remote(uri) is None


@pytest.mark.parametrize(("uri", "reason"), REMOTE)
def test_remote(uri: str, reason: str) -> None:
    assert reason in str(why_remote(uri))


@pytest.mark.parametrize(
    "uri", ["qemu:///system", "qemu+unix:///system", "qemu:///system?socket=/x", "xen:///system"]
)
def test_a_daemon_of_the_system(uri: str) -> None:
    assert is_system(uri)


@pytest.mark.parametrize(
    "uri",
    ["qemu:///session", "test:///default", "qemu:///session?socket=/run/system", "", "system"],
)
def test_a_daemon_of_a_user(uri: str) -> None:
    assert not is_system(uri)


SPELLINGS = [
    ("qemu:///system", "qemu:///system", "qemu:///system"),
    ("qemu+unix:///system", "qemu:///system", "qemu:///system"),
    ("qemu+UNIX:///system", "qemu:///system", "qemu:///system"),
    ("qemu:///session", "qemu:///session", "qemu:///system"),
    ("qemu+unix:///session", "qemu:///session", "qemu:///system"),
    ("test:///default", "test:///default", "test:///default"),
    ("qemu:///system?x=1", *["qemu:///system"] * 2),
    ("qemu+unix:///system?no_verify=1&keepalive=x", *["qemu:///system"] * 2),
    ("qemu:/system", *["qemu:///system"] * 2),
    ("qemu:///session?mode=direct", "qemu:///session", "qemu:///system"),
    ("qemu+unix:///system?x=1&socket=/x", *["qemu+unix:///system?socket=/x"] * 2),
    # A socket of its own is a daemon of its own.
    ("qemu+unix:///system?socket=/x", *["qemu+unix:///system?socket=/x"] * 2),
    ("qemu+ssh://there/system", *["qemu+ssh://there/system"] * 2),
]


@pytest.mark.parametrize(("uri", "users", "roots"), SPELLINGS)
def test_one_spelling_for_each_daemon(uri: str, users: str, roots: str) -> None:
    assert (canonical(uri, root=False), canonical(uri, root=True)) == (users, roots)


parts = st.sampled_from(["qemu", "+", "unix", "ssh", ":", "/", "//", "system", "session", "?", "x"])
uris = st.text() | st.lists(parts, max_size=10).map("".join)


@given(uris, st.booleans())
def test_any_text_has_one_spelling(uri: str, root: bool) -> None:
    once = canonical(uri, root=root)
    assert canonical(once, root=root) == once
    assert why_remote(once) == why_remote(uri)
    assert is_system(uri) in (True, False)
