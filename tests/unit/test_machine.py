"""The host's boot and its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.host import machine
from tests.ledgers import instant

KERNELS = "0f4c3bde-1111-4222-8333-444455556666"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The kernel's file of the boot's id, which is not there; and no run folder."""
    monkeypatch.setattr(machine, "_BOOT_ID", tmp_path / "boot_id")
    monkeypatch.setattr(machine, "run_folder", lambda: tmp_path / "run")
    machine.boot_id.cache_clear()
    yield tmp_path / "boot_id"
    machine.boot_id.cache_clear()


def asked_anew() -> str:
    """What the next process says."""
    machine.boot_id.cache_clear()
    return machine.boot_id()


def test_the_boots_id_is_the_kernels(kernel: Path) -> None:
    kernel.write_text(KERNELS + "\n")
    assert asked_anew() == KERNELS
    assert machine.now().boot == KERNELS


@pytest.mark.parametrize("text", [None, "", "\n", "\udcff", "0" * 32])
def test_where_the_kernel_has_none_each_boot_gets_one(kernel: Path, text: str | None) -> None:
    if text is not None:
        kernel.write_bytes(text.encode(errors="surrogateescape"))
    made = asked_anew()
    assert len(made) == 36
    assert asked_anew() == made
    (kernel.parent / "run/boot-id").unlink()  # as a reboot does with all of /run
    assert asked_anew() not in ("", made)


def test_none_can_be_had(kernel: Path) -> None:
    (kernel.parent / "run").write_text("no folder")
    assert asked_anew() == ""


def test_the_clock_between_two_moments_of_a_boot_is_never_set() -> None:
    earlier, later = machine.now(), machine.now()
    since = later.seconds_since(earlier.boot, earlier.up)
    assert since is not None
    assert 0 <= since < 10


def test_moments_of_two_boots_cannot_be_compared() -> None:
    now = instant(5)
    assert now.seconds_since("another boot", 3) is None
    assert now.seconds_since(now.boot, None) is None
    assert now.seconds_since(now.boot, 3) == 2e-9
