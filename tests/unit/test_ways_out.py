"""What is said of a held guest can be pasted."""

from __future__ import annotations

import shlex

import pytest

from guestctl.model.ports import ErrorKind, HypervisorError
from guestctl.runs.saved_guest import ways_out
from guestctl.runs.starting import is_not_for_this_host, is_refused_image


@pytest.mark.parametrize("name", ["web", "web 1", "it's", "-x", "$(reboot)", "ü;"])
def test_its_name_is_one_word_for_a_shell(name: str) -> None:
    _, resume, _, discard, _ = ways_out(name).split("`")
    options = ["--"] if name.startswith("-") else []
    assert shlex.split(resume) == ["guestctl", "start", "--resume-anyway", *options, name]
    assert shlex.split(discard) == ["guestctl", "start", "--discard-save", *options, name]


#: As libvirt 9.0, 11.3 and QEMU say it.
NOT_HERE = [
    "Cannot check QEMU binary /usr/bin/qemu-kvm: No such file or directory",
    "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support machine"
    " type 'pc-i440fx-1.0'",
    "the CPU is incompatible with host CPU: Host CPU does not provide required features: avx2",
    "operation failed: guest CPU doesn't match specification: missing features: avx2",
]


@pytest.mark.parametrize("said", NOT_HERE)
def test_what_the_host_has_not_any_more_is_told_by_its_words(said: str) -> None:
    error = HypervisorError(ErrorKind.FAILED, said)
    assert is_not_for_this_host(error)
    assert not is_refused_image(error)


@pytest.mark.parametrize("said", ["network 'default' is not active", "No space left on device"])
def test_what_may_come_is_tried_again(said: str) -> None:
    assert not is_not_for_this_host(HypervisorError(ErrorKind.FAILED, said))
