"""`virsh autostart --once`, with libvirts and bindings that do not know it."""

from __future__ import annotations

import libvirt
import pytest

from guestctl.host.libvirt.reading import _is_started_once


class Of90:
    """A guest of a binding older than 11.2, which has no such call."""


class Fails:
    """A guest whose daemon says why it cannot answer."""

    def __init__(self, code: int) -> None:
        self.code = code

    def autostartOnce(self) -> int:
        error = libvirt.libvirtError("said")
        error.err = (self.code, 0, "said", 2, "", None, None, 0, 0)
        raise error


class Marked:
    """A guest that is to be started at one boot, or not."""

    def __init__(self, mark: int) -> None:
        self.mark = mark

    def autostartOnce(self) -> int:
        return self.mark


@pytest.mark.parametrize(
    ("domain", "once"),
    [
        (Of90(), False),
        (Fails(libvirt.VIR_ERR_NO_SUPPORT), False),
        (Fails(libvirt.VIR_ERR_RPC), False),
        (Marked(0), False),
        (Marked(1), True),
    ],
)
def test_a_guest_is_marked_where_libvirt_says_so(domain: object, once: bool) -> None:
    assert _is_started_once(domain) is once


def test_an_error_is_not_an_answer() -> None:
    with pytest.raises(libvirt.libvirtError):
        _is_started_once(Fails(libvirt.VIR_ERR_INTERNAL_ERROR))
