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


def test_a_link_in_a_marker_s_place_is_replaced_and_not_followed(run: Path) -> None:
    """The folder belongs to libvirt-qemu; seen: root made /run/nologin, and nobody could log in."""
    aim, there = run / "nologin", run / "there"
    there.touch()
    for driver, target in (("qemu", aim), ("lxc", there)):
        (run / "libvirt" / driver).mkdir(parents=True)
        (run / "libvirt" / driver / "autostarted").symlink_to(target)
        (run / "libvirt" / driver / "autostarted.new").symlink_to(target)
    assert autostart.claim([QEMU, LXC]) == (LXC, QEMU)
    assert not aim.exists()
    markers = [run / f"libvirt/{driver}/autostarted" for driver in ("qemu", "lxc")]
    assert [path.is_symlink() or not path.is_file() for path in markers] == [False, False]
