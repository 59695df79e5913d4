"""A save on a file system that knows no O_DIRECT, which none of a current kernel's refuses."""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

import libvirt
import pytest

from guestctl.host.libvirt.hypervisor import _save

BYPASS = libvirt.VIR_DOMAIN_SAVE_BYPASS_CACHE


def refusal(code: int, number: int) -> libvirt.libvirtError:
    """What libvirt raises."""
    error = libvirt.libvirtError("Failed to create file: Invalid argument")
    # code, domain, message, level, str1 to str3, int1, int2
    error.err = (code, 0, "", 2, "", None, None, number, -1)
    return error


def saves(*answers: Any) -> list[int]:
    """The flags with which a guest is saved whose libvirt answers so."""
    domain = mock.Mock()
    domain.managedSave.side_effect = answers
    _save(domain, bypass_cache=True)
    return [call.args[0] for call in domain.managedSave.call_args_list]


def test_where_the_cache_can_be_bypassed_it_is() -> None:
    assert saves(0) == [BYPASS]


def test_where_it_cannot_the_guest_is_saved_through_it() -> None:
    assert saves(refusal(libvirt.VIR_ERR_SYSTEM_ERROR, errno.EINVAL), 0) == [BYPASS, 0]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (libvirt.VIR_ERR_SYSTEM_ERROR, errno.ENOSPC),
        (libvirt.VIR_ERR_OPERATION_ABORTED, 0),
        (libvirt.VIR_ERR_OPERATION_FAILED, errno.EINVAL),
    ],
)
def test_what_failed_otherwise_is_not_tried_again(code: int, number: int) -> None:
    with pytest.raises(libvirt.libvirtError):
        saves(refusal(code, number))
