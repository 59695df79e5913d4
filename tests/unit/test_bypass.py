"""Saves and starts on a file system that knows no O_DIRECT: none of a current kernel's is one."""

from __future__ import annotations

import errno
from typing import Any
from unittest import mock

import libvirt
import pytest

from guestctl.host.libvirt.hypervisor import THROUGH_CACHE, _save, _start

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


# Starts

START = libvirt.VIR_DOMAIN_START_BYPASS_CACHE
NO_O_DIRECT = refusal(libvirt.VIR_ERR_SYSTEM_ERROR, errno.EINVAL)


def starts(*answers: Any, driver: str = "QEMU", boot_anew: bool = False) -> tuple[list[int], str]:
    """The flags with which a guest is started past the cache, and what is said of it."""
    domain = mock.Mock()
    domain.connect.return_value.getType.return_value = driver
    domain.createWithFlags.side_effect = answers
    said = _start(domain, boot_anew=boot_anew, bypass_cache=True)
    return [call.args[0] for call in domain.createWithFlags.call_args_list], said


def test_a_save_is_read_past_the_cache_where_that_can_be() -> None:
    assert starts(0) == ([START], "")
    assert starts(NO_O_DIRECT, 0) == ([START, 0], THROUGH_CACHE)


def test_no_flag_goes_to_a_driver_without_saves_nor_to_a_start_without_one() -> None:
    assert starts(0, driver="LXC") == ([0], "")
    assert starts(0, boot_anew=True) == ([libvirt.VIR_DOMAIN_START_FORCE_BOOT], "")


def test_a_start_that_failed_otherwise_is_not_tried_again_by_this() -> None:
    with pytest.raises(libvirt.libvirtError):
        starts(refusal(libvirt.VIR_ERR_SYSTEM_ERROR, errno.ENOENT), 0)
