"""What must stay mounted until we have stopped: names of units, folders, and systemd's part."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from guestctl.host import mounts
from guestctl.host.bus_values import Variant
from guestctl.host.mounts import SystemdMounts, unit_names
from tests.unit.private_bus import FakeSystemd, PrivateBus, Refusal, open_fds
from tests.unit.running import run_async

URI = "qemu:///system"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "-"),
        ("/srv", "srv"),
        ("/srv/my disks", r"srv-my\x20disks"),
        ("/srv/a-b", r"srv-a\x2db"),
        ("/.hidden", r"\x2ehidden"),
        ("/srv/ä", r"srv-\xc3\xa4"),
    ],
)
def test_names_are_those_of_systemd(path: str, name: str) -> None:
    found = unit_names([path])
    assert {f"{name}.mount", f"{name}.automount", "-.mount"} <= found


def test_every_folder_above_may_be_a_mount() -> None:
    found = {name for name in unit_names(["/srv/vm/a.qcow2", "pool/volume"]) if "auto" not in name}
    assert found == {"-.mount", "srv.mount", "srv-vm.mount", "srv-vm-a.qcow2.mount"}


# -- folders of saves ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of saves; mountinfo is tmp_path/mountinfo."""
    folder = tmp_path / "save"
    folder.mkdir()
    monkeypatch.setattr(mounts, "save_folder", lambda uri: folder if uri == URI else None)
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "mountinfo")
    mounted(tmp_path, "/")
    return folder


def mounted(tmp_path: Path, *points: str) -> None:
    lines = [f"1 0 8:1 / {point} rw - ext4 /dev/x rw" for point in points]
    (tmp_path / "mountinfo").write_text("\n".join(lines))


def displaced(tmp_path: Path) -> frozenset[str]:
    return run_async(SystemdMounts(tmp_path, "unix:path=/none").displaced([URI, "lxc:///"]))


def remember(tmp_path: Path) -> None:
    run_async(SystemdMounts(tmp_path, "unix:path=/none").keep([URI], []))


def other_folder(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.mkdir()


def test_a_folder_that_lost_its_mount(tmp_path: Path, folder: Path) -> None:
    mounted(tmp_path, "/", str(folder))
    remember(tmp_path)
    assert displaced(tmp_path) == frozenset()
    other_folder(folder)
    mounted(tmp_path, "/")
    assert displaced(tmp_path) == {URI}


def test_a_folder_that_is_gone(tmp_path: Path, folder: Path) -> None:
    remember(tmp_path)
    folder.rmdir()
    assert displaced(tmp_path) == {URI}


def test_a_mount_that_came_since_is_no_loss(tmp_path: Path, folder: Path) -> None:
    remember(tmp_path)
    other_folder(folder)
    mounted(tmp_path, "/", str(folder))
    assert displaced(tmp_path) == frozenset()


@pytest.mark.parametrize("text", [None, "{", "[]", '{"qemu:///system": null}'])
def test_what_was_never_known_is_not_missed(tmp_path: Path, folder: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "save-folders.json").write_text(text)
    other_folder(folder)
    assert displaced(tmp_path) == frozenset()


def test_a_folder_that_hangs_costs_one_thread(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at every minute for as long as the service lives."""
    disk, began = threading.Event(), []

    def hangs(path: Path) -> None:
        began.append(path)
        disk.wait(20)

    monkeypatch.setattr(mounts, "_touch", hangs)

    async def work() -> None:
        kept = SystemdMounts(tmp_path, "unix:path=/none")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(kept.keep([URI], []), 0.02)
        assert began == [folder]
        disk.set()

    run_async(work())


# -- systemd's part --------------------------------------------------------------------------


def systemd(mounted: dict[str, list[str]], keepers: list[str]) -> tuple[FakeSystemd, list[Any]]:
    """A systemd with these mounts, and what each is ordered after; what it was asked to do."""
    fake, done = FakeSystemd(), list[Any]()
    after: list[str] = []

    def row(name: str) -> list[Any]:
        load, active = ("loaded", "active") if name in mounted else ("not-found", "inactive")
        after[:] = mounted.get(name, after)
        return [name, "", load, active, "", "", fake.path, 0, "", "/"]

    def start(body: list[Any]) -> Any:
        if body[0] in keepers:
            raise Refusal("org.freedesktop.systemd1.UnitExists")
        done.append(("start", body[0], body[2][1][1].value, body[2][2][1].value))
        return "o", ["/job/1"], []

    def stop(body: list[Any]) -> Any:
        done.append(("stop", body[0]))
        return "o", ["/job/2"], []

    fake.methods["ListUnitsByNames"] = lambda b: ("a(ssssssouso)", [[*map(row, b[0])]], [])
    fake.methods["ListUnitsByPatterns"] = lambda _: ("a(ssssssouso)", [[*map(row, keepers)]], [])
    fake.methods["StartTransientUnit"], fake.methods["StopUnit"] = start, stop
    fake.properties["After"] = Variant("as", after)
    return fake, done


def keep(
    bus: PrivateBus,
    fake: FakeSystemd,
    tmp_path: Path,
    times: int = 1,
    paths: Sequence[str] = ("/srv/vm/a.qcow2",),
) -> None:
    async def work() -> None:
        await fake.connect(bus.address)
        before, kept = open_fds(), SystemdMounts(tmp_path, bus.address)
        for _ in range(times):
            await kept.keep([], paths)
        assert open_fds() == before
        fake.leave()

    run_async(work())


def test_a_unit_stands_between_mounts_and_ours(bus: PrivateBus, tmp_path: Path) -> None:
    fake, done = systemd({"srv-vm.mount": ["-.mount"]}, ["guestctl-mounts-old.service"])
    keep(bus, fake, tmp_path, times=3)
    (start, stop) = done
    assert start[0] == "start"
    assert start[2:] == (["srv-vm.mount"], ["guestctl.service", "guestctl-guard.service"])
    assert stop == ("stop", "guestctl-mounts-old.service")


def test_one_that_is_there_already_stays(bus: PrivateBus, tmp_path: Path) -> None:
    fake, done = systemd({"srv-vm.mount": []}, [])
    keep(bus, fake, tmp_path)
    fake, again = systemd({"srv-vm.mount": []}, [done[0][1]])
    keep(bus, fake, tmp_path)
    assert again == []


def test_a_mount_that_waits_for_us_makes_no_circle(bus: PrivateBus, tmp_path: Path) -> None:
    fake, done = systemd({"srv-vm.mount": ["guestctl.service"]}, [])
    keep(bus, fake, tmp_path)
    assert done == []


def test_two_thousand_disks_are_not_too_many(bus: PrivateBus, tmp_path: Path) -> None:
    """An answer of more than 1 MiB is not read: no mount was kept then."""
    fake, done = systemd({"srv-vm.mount": ["-.mount"]}, [])
    fake.path = "/org/freedesktop/systemd1/unit/" + 100 * "u"
    keep(bus, fake, tmp_path, paths=[f"/srv/vm/{number:0200}" for number in range(2000)])
    assert [start[2] for start in done] == [["srv-vm.mount"]]
