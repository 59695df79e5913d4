"""The list that libvirt-guests leaves, and when that was."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.bus_values import Variant
from guestctl.host.libvirt_guests import (
    MOST_BYTES,
    LibvirtGuests,
    Listing,
    _Times,
    parse,
    read,
    stop_of,
)
from guestctl.model.stop import RivalStop
from tests.unit.private_bus import FakeSystemd, PrivateBus
from tests.unit.running import run_async

WEB, MAIL = "0d1c5ba3-1f6c-4f0e-9a53-f2a1c7d1b001", "0d1c5ba3-1f6c-4f0e-9a53-f2a1c7d1b002"
TEXT = f"default {WEB} {MAIL}\nlxc:///system {WEB}\n"
BOTH = frozenset({WEB, MAIL})


def listed(age: float = 10.0) -> Listing:
    return Listing({"default": (WEB, MAIL)}, age)


def test_what_the_script_writes() -> None:
    assert parse(TEXT) == {"default": (WEB, MAIL), "lxc:///system": (WEB,)}
    assert Listing(parse(TEXT), 0.0).uuids == BOTH


@pytest.mark.parametrize("text", ["", "\n \n", "default\n", f"default {WEB}x {WEB[:-1]} ../etc\n"])
def test_what_is_no_guest_is_left_out(text: str) -> None:
    assert not Listing(parse(text), 0.0).uuids


@given(st.text())
def test_whatever_stands_in_it(text: str) -> None:
    for uri, uuids in parse(text).items():
        assert uri in text
        assert all(uuid in text.lower() for uuid in uuids)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "libvirt-guests"
    made.write_text(TEXT)
    made.chmod(0o644)
    return made


@pytest.fixture
def as_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of whoever runs the tests count as root's."""
    us = os.geteuid()
    monkeypatch.setattr("guestctl.host.libvirt_guests._ROOT", us)


@pytest.mark.usefixtures("as_roots")
def test_the_file(file: Path) -> None:
    os.utime(file, (0, time.time() - 60))
    found = read(file)
    assert found is not None
    assert found.uuids == BOTH
    assert 59 < found.age < 70


@pytest.mark.usefixtures("as_roots")
def test_what_somebody_else_may_have_written_is_not_believed(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert read(link) is None
    assert read(file.parent) is None
    assert read(file.with_name("missing")) is None
    file.chmod(0o664)
    assert read(file) is None
    file.chmod(0o644)
    file.write_text("x" * (MOST_BYTES + 1))
    assert read(file) is None


@pytest.mark.usefixtures("as_roots")
def test_nothing_is_left_open(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert read(file.parent) is None
    assert read(file)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_pipe_in_its_place_is_not_waited_for(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)
    assert read(file) is None


def test_of_another_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestctl.host.libvirt_guests._ROOT", os.geteuid() + 1)
    assert read(file) is None


@pytest.mark.parametrize(
    ("times", "age", "found"),
    [
        (_Times(5, 90, 95), 10, (90, 95)),  # it was stopped
        (_Times(5, 90, 0), 10, (90, None)),  # for the first time, and that goes on
        (_Times(5, 90, 50), 10, (90, None)),  # it was stopped before as well
        (_Times(5, 0, 0), 10, (90, 90)),  # systemd has forgotten it: the file tells
        (_Times(5, 0, 0), 96, None),  # of an earlier boot
        (_Times(5, 0, 0), 10**7, None),  # of weeks ago
        (_Times(5, 0, 0), -3600, None),  # the clock was set back since
    ],
)
def test_when_that_was(times: _Times, age: float, found: tuple[float, float | None] | None) -> None:
    expected = RivalStop(BOTH, *found) if found else None
    assert stop_of(listed(age), times, 100.0) == expected


def systemd(began: int, ended: int) -> FakeSystemd:
    fake = FakeSystemd()
    fake.methods["LoadUnit"] = lambda _: ("o", [fake.path], [])
    fake.properties["UserspaceTimestampMonotonic"] = Variant("t", 1)
    fake.properties["ActiveExitTimestampMonotonic"] = Variant("t", began * 10**6)
    fake.properties["InactiveEnterTimestampMonotonic"] = Variant("t", ended * 10**6)
    return fake


@pytest.mark.usefixtures("as_roots")
def test_over_the_bus(bus: PrivateBus, file: Path) -> None:
    """Also once it was started again, which removes the list; another stop is another one."""

    async def work() -> None:
        fake = systemd(7, 0)
        await fake.connect(bus.address)
        try:
            rival = LibvirtGuests(bus.address, file)
            assert await rival.newest_stop() == RivalStop(BOTH, 7.0)
            file.unlink()  # noqa: ASYNC240 - a file of this machine
            fake.properties["InactiveEnterTimestampMonotonic"] = Variant("t", 8 * 10**6)
            assert await rival.newest_stop() == RivalStop(BOTH, 7.0, 8.0)
            fake.properties["ActiveExitTimestampMonotonic"] = Variant("t", 9 * 10**6)
            assert await rival.newest_stop() is None
        finally:
            fake.leave()

    run_async(work())


@pytest.mark.usefixtures("as_roots")
def test_without_a_bus_nothing_is_known(bus: PrivateBus, file: Path) -> None:
    bus.kill()
    assert run_async(LibvirtGuests(bus.address, file).newest_stop()) is None


def test_without_a_list_nobody_is_asked(tmp_path: Path) -> None:
    rival = LibvirtGuests("unix:path=/nowhere", tmp_path / "libvirt-guests")
    assert run_async(rival.newest_stop()) is None
