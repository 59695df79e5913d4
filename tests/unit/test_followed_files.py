"""The configuration's files are followed, by a service that waits for no disk."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.control.requests import Failure, RequestError
from guestctl.host import machine
from guestctl.host.libvirt import aliases
from guestctl.service import followed_files
from guestctl.service.configuration import Configuration
from guestctl.service.followed_files import FollowedFiles


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what is told by a thread
            await asyncio.sleep(0.01)


class Service:
    """What it was told."""

    def __init__(self, configuration: Configuration) -> None:
        self.used: list[Config] = []
        self.changes = 0
        self.files = FollowedFiles(configuration, self.used.append, self.change)

    def change(self) -> None:
        self.changes += 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration, an empty one."""
    monkeypatch.setattr(machine, "state_folder", lambda: tmp_path / "state")
    monkeypatch.setattr(followed_files, "LOOK", 0.01)
    path = tmp_path / "guestctl.toml"
    path.write_text("")
    return path


def test_a_run_begins_with_what_was_written(file: Path) -> None:
    async def story() -> None:
        service = Service(Configuration(file, None))
        await service.files.refresh()
        assert service.used == []
        write(file, 'uris = ["test:///default"]\n')
        await service.files.refresh()
        assert [config.general.uris for config in service.used] == [("test:///default",)]

    asyncio.run(story())


def test_another_default_connection_of_libvirt_is_taken_up(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "libvirt.conf"
    monkeypatch.setattr(aliases, "FILE", conf)
    write(conf, 'uri_default = "lxc:///system"\n')
    write(file, 'uris = ["default"]\n')
    caplog.set_level(logging.INFO)

    async def story() -> None:
        configuration = Configuration(file, None)
        assert configuration.config.general.uris == ("lxc:///system",)
        service = Service(configuration)
        following = asyncio.create_task(service.files.follow(lambda: False))
        write(conf, 'uri_default = "test:///default"\n')
        await until(lambda: service.used)
        following.cancel()
        assert service.used[-1].general.uris == ("test:///default",)

    asyncio.run(story())
    assert "uris are test:///default, were lxc:///system" in caplog.text


def test_a_default_on_another_host_is_left_out_with_a_word(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "libvirt.conf"
    monkeypatch.setattr(aliases, "FILE", conf)
    write(conf, 'uri_default = "qemu+ssh://there/system"\n')
    write(file, 'uris = ["default", "test:///default"]\n')
    assert Configuration(file, None).config.general.uris == ("test:///default",)
    assert "cannot look after qemu+ssh://there/system" in caplog.text


def test_it_is_taken_up_unasked_but_not_in_a_run(file: Path) -> None:
    async def story() -> None:
        service, busy = Service(Configuration(file, None)), True
        following = asyncio.create_task(service.files.follow(lambda: busy))
        write(file, "[boot]\nretries = 7\n")
        await asyncio.sleep(0.1)
        assert service.used == []
        busy = False
        await until(lambda: service.used)
        following.cancel()
        assert service.used[0].boot.retries == 7

    asyncio.run(story())


def test_nobody_looks_until_something_is_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at every two seconds, an idle service woke a hundred times a minute."""
    configuration = Configuration(file, None)
    look, looks = configuration.look, list[int]()

    def counted() -> bool:
        looks.append(1)
        return look()

    monkeypatch.setattr(configuration, "look", counted)

    async def story() -> None:
        service = Service(configuration)
        following = asyncio.create_task(service.files.follow(lambda: False))
        for retries in (7, 8):
            await until(lambda: len(looks) >= 2)
            looks.clear()
            await asyncio.sleep(0.2)
            assert looks == []
            write(file, f"[boot]\nretries = {retries}\n")
            await until(lambda: service.used)
            assert service.used.pop().boot.retries == retries
        following.cancel()

    asyncio.run(story())


def test_a_file_that_a_link_leads_to_is_looked_at_seldom(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_files, "LOOK_SELDOM", 0.2)
    elsewhere = file.parent / "elsewhere" / "guestctl.toml"
    elsewhere.parent.mkdir()
    file.unlink()
    elsewhere.write_text("")
    file.symlink_to(elsewhere)

    async def story() -> None:
        service = Service(Configuration(file, None))
        following = asyncio.create_task(service.files.follow(lambda: False))
        await asyncio.sleep(0.1)
        write(elsewhere, "[boot]\nretries = 7\n")
        await until(lambda: service.used)
        following.cancel()

    asyncio.run(story())


def test_mistakes_are_told_and_nothing_else_is_used(file: Path) -> None:
    async def story() -> None:
        service = Service(Configuration(file, None))
        write(file, "save = none")
        await service.files.refresh()
        await service.files.refresh()
        assert (service.used, service.changes) == ([], 1)

    asyncio.run(story())


def test_a_disk_that_stalls_is_not_waited_for_and_its_answer_not_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(followed_files, "LIMIT", 0.05)
    configuration, disk = Configuration(file, None), threading.Event()
    reload, done = configuration.reload, threading.Event()

    def stalled() -> bool:
        disk.wait(20)
        found = reload()
        done.set()
        return found

    monkeypatch.setattr(configuration, "reload", stalled)

    async def story() -> None:
        service = Service(configuration)
        write(file, "[boot]\nretries = 7\n")
        with caplog.at_level(logging.ERROR):
            await service.files.refresh()
        assert service.used == []
        assert caplog.messages == [
            "the configuration cannot be read in time: what was read before is used"
        ]
        disk.set()
        await until(done.is_set)
        await service.files.refresh()
        assert service.used[0].boot.retries == 7

    asyncio.run(story())


def test_a_disk_that_stalls_costs_one_thread(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at every few seconds, it was a thread each time until no more could be started."""
    monkeypatch.setattr(followed_files, "LIMIT", 0.02)
    configuration, disk, began = Configuration(file, None), threading.Event(), []

    def stalled() -> bool:
        began.append(1)
        return disk.wait(20)

    monkeypatch.setattr(configuration, "refresh", stalled)

    async def story() -> None:
        service = Service(configuration)
        for _ in range(5):
            await service.files.refresh()
        assert began == [1]
        disk.set()

    asyncio.run(story())


def test_a_fault_of_ours_in_reading_ends_no_run(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = Configuration(file, None)
    monkeypatch.setattr(configuration, "refresh", lambda: 1 // 0)

    async def story() -> None:
        with caplog.at_level(logging.ERROR):
            await Service(configuration).files.refresh()

    asyncio.run(story())
    (message,) = caplog.messages
    assert message.startswith("internal error, what was read before is used: ZeroDivisionError")


def test_whoever_asks_for_it_is_told_what_is_different(file: Path) -> None:
    async def story() -> None:
        service = Service(Configuration(file, None))
        assert await service.files.reload_and_tell() == []
        write(file, '[shutdown]\ndeadline = "5min"\n')
        (change,) = await service.files.reload_and_tell()
        assert change.startswith('shutdown.deadline is "5min", was ')
        write(file, "[shutdown]\ndeadline = soon\nparalel = 3\n")
        with pytest.raises(RequestError, match=f"cannot use the configuration:\n{file}:") as caught:
            await service.files.reload_and_tell()
        assert caught.value.failure is Failure.WRONG_REQUEST
        assert [config.shutdown.deadline for config in service.used][-1] == 300

    asyncio.run(story())


def test_whoever_asks_for_it_is_told_of_a_disk_that_stalls(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_files, "LIMIT", 0.05)
    stalls = threading.Event()

    async def story() -> None:
        configuration = Configuration(file, None)
        service = Service(configuration)
        monkeypatch.setattr(configuration, "reload", lambda: stalls.wait(5))
        with pytest.raises(RequestError, match="cannot be read in time"):
            await service.files.reload_and_tell()
        stalls.set()

    asyncio.run(story())
