"""Owning autostart: libvirt's markers, and whose autostart is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host.libvirt import autostart

QEMU, LXC = "qemu:///system", "lxc:///system"


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This boot's run folder."""
    monkeypatch.setattr(autostart, "LIBVIRT_RUN", tmp_path / "libvirt")
    monkeypatch.setattr(autostart, "CLAIM", tmp_path / "guestctl/autostart.json")
    return tmp_path


def test_a_claim(run: Path) -> None:
    assert autostart.claimed() == ()
    assert autostart.claim([QEMU, LXC, "qemu:///session", "test:///default"]) == (LXC, QEMU)
    assert autostart.claimed() == (LXC, QEMU)
    assert (run / "libvirt/qemu/autostarted").exists()
    assert (run / "libvirt/lxc/autostarted").exists()


def test_claimed_again_it_stays_ours() -> None:
    autostart.claim([QEMU])
    assert autostart.claim([QEMU, LXC]) == (LXC, QEMU)


def test_libvirt_was_quicker(run: Path) -> None:
    marker = run / "libvirt/qemu/autostarted"
    marker.parent.mkdir(parents=True)
    marker.touch()
    assert autostart.claim([QEMU, LXC]) == (LXC,)


def test_half_a_claim_is_none(run: Path) -> None:
    """Killed while claiming again, the claim of before holds."""
    autostart.claim([QEMU])
    (run / "guestctl/autostart.json.new").write_text('["qemu:/')
    assert autostart.claimed() == (QEMU,)
