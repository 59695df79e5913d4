"""Whether guestctl was on as the host booted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestctl.host import since_boot
from guestctl.host.libvirt import autostart
from guestctl.host.since_boot import of_this_boot

QEMU, LXC = "qemu:///system", "lxc:///system"


@pytest.fixture(autouse=True)
def claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a claim, of which there is none."""
    file = tmp_path / "autostart.json"
    monkeypatch.setattr(autostart, "CLAIM", file)
    return file


def test_a_service_that_runs_as_the_host_boots_is_in_charge_for_all_of_the_boot(
    tmp_path: Path,
) -> None:
    assert of_this_boot(tmp_path, [QEMU], booting=True) == {QEMU}
    assert of_this_boot(tmp_path, [QEMU, LXC], booting=False) == {QEMU}


def test_one_that_is_switched_on_later_is_not(tmp_path: Path) -> None:
    assert of_this_boot(tmp_path, [QEMU], booting=False) == frozenset()


def test_whose_autostart_it_does_is_its_own(tmp_path: Path, claim: Path) -> None:
    claim.write_text(json.dumps([QEMU]))
    assert of_this_boot(tmp_path, [QEMU, LXC], booting=False) == {QEMU}


@pytest.mark.parametrize("text", ["", "{", "[1", '{"a": 1}'])
def test_a_file_that_makes_no_sense_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / since_boot._FILE).write_text(text)
    assert of_this_boot(tmp_path, [QEMU], booting=False) == frozenset()


def test_a_folder_that_cannot_be_written_to_loses_nothing_but_that(tmp_path: Path) -> None:
    assert of_this_boot(tmp_path / "not there", [QEMU], booting=True) == {QEMU}
