"""The order of scopes of guests, as their files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host import scopes, unit_files

SCOPE = """\
# This is a transient unit file, created programmatically via the systemd API. Do not edit.
[Scope]
Slice=machine.slice

[Unit]
Description=Virtual Machine qemu-3-guest3
CollectMode=inactive-or-failed
After=libvirtd.service
After=virtqemud.service
Before=virt-guest-shutdown.target
"""
AFTER, TARGET = ["After=libvirtd.service", "After=virtqemud.service"], "virt-guest-shutdown.target"


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(unit_files, "reload", lambda: told.append("reload"))
    return told


def order(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line.startswith(("After", "Before"))]


def test_it_can_be_turned_round_and_back(tmp_path: Path, reloads: list[str]) -> None:
    file = tmp_path / r"machine-qemu\x2d3\x2dguest3.scope"
    file.write_text(SCOPE)
    scopes.put_in_order([file.name], outlive_daemon=True, folder=tmp_path)
    assert order(file) == ["Before=libvirtd.service", "Before=virtqemud.service"]
    for _ in range(2):
        scopes.put_in_order([file.name], outlive_daemon=False, folder=tmp_path)
        assert order(file) == [*AFTER, f"Before={TARGET}"]
    others = [line for line in SCOPE.splitlines() if line not in order(file)]
    assert [line for line in others if line not in file.read_text().splitlines()] == []
    assert reloads == ["reload"] * 3


def test_one_that_has_ended_meanwhile_has_no_file(tmp_path: Path, reloads: list[str]) -> None:
    scopes.put_in_order(["machine-qemu-1-a.scope"], outlive_daemon=False, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert reloads == ["reload"]
