"""What systemd gets to read on its notification socket: a real one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.host.notify import LONGEST_STATUS, Notifier
from tests.unit.private_bus import open_fds


class Systemd:
    """The receiving end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def read(self) -> str | None:
        """The next message, as UTF-8."""
        try:
            return self.socket.recv(4096).decode()
        except BlockingIOError:
            return None


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    receiver = Systemd(f"{tmp_path}/notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
    yield receiver
    receiver.socket.close()


@pytest.fixture
def notifier(systemd: Systemd) -> Iterator[Notifier]:
    made = Notifier()
    yield made
    made.close()


def test_each_thing_is_said_by_itself(systemd: Systemd, notifier: Notifier) -> None:
    said = [notifier.ready(), notifier.watchdog(), notifier.stopping(), notifier.extend(2.5)]
    assert all(said)
    messages = [systemd.read() for _ in range(5)]
    assert messages == ["READY=1", "WATCHDOG=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=2500000", None]


def test_a_reload_comes_with_the_time(systemd: Systemd, notifier: Notifier) -> None:
    assert notifier.reloading()
    first, second = str(systemd.read()).splitlines()
    assert first == "RELOADING=1"
    key, value = second.split("=")
    assert key == "MONOTONIC_USEC"
    assert abs(int(value) / 1e6 - time.monotonic()) < 5


@pytest.mark.parametrize(
    "text", ["saving web", "sauvé à 50 %", "Gäste: 客人, гость, 🐧", "", "\udcff"]
)
def test_a_status_in_any_script(systemd: Systemd, notifier: Notifier, text: str) -> None:
    assert notifier.status(text)
    assert systemd.read() == "STATUS=" + text.replace("\udcff", r"\udcff")


def test_a_name_says_nothing_of_its_own(systemd: Systemd, notifier: Notifier) -> None:
    notifier.status("saving a\nSTOPPING=1\r\n b")
    assert systemd.read() == "STATUS=saving a STOPPING=1 b"


def test_a_long_status_is_cut_between_characters(systemd: Systemd, notifier: Notifier) -> None:
    notifier.status("x" + "客" * 4000)
    message = systemd.read()
    assert message is not None
    assert set(message.removeprefix("STATUS=x")) == {"客"}
    assert LONGEST_STATUS - 3 < len(message.encode()) - len("STATUS=") <= LONGEST_STATUS


def test_a_socket_that_is_full_holds_nobody_up(systemd: Systemd, notifier: Notifier) -> None:
    began = time.monotonic()
    took = [notifier.watchdog() for _ in range(2000)]
    assert took[0]
    assert not took[-1]
    assert time.monotonic() - began < 2
    while systemd.read():
        pass
    assert notifier.ready()
    assert systemd.read() == "READY=1"


def test_a_systemd_that_is_gone(systemd: Systemd, notifier: Notifier) -> None:
    systemd.socket.close()
    assert not notifier.status("on")


def test_an_abstract_socket(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"guestctl-{os.getpid()}"
    abstract = Systemd(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    notifier = Notifier()
    assert notifier.ready()
    assert abstract.read() == "READY=1"
    notifier.close()
    abstract.socket.close()


# sdnotify 0.3 leaves a socket that cannot be connected to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("address", [None, "", "/nowhere/notify"])
def test_without_systemd_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    before = open_fds()
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = Notifier()
    assert not any([notifier.ready(), notifier.status("on"), notifier.extend(1)])
    notifier.close()
    assert open_fds() == before


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        (None, None, None),
        ("30000000", None, 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("nonsense", None, None),
    ],
)
def test_how_often_the_watchdog_is_called(
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    usec: str | None,
    pid: str | None,
    interval: float | None,
) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value is not None:
            monkeypatch.setenv(name, value)
    notifier = Notifier()
    assert notifier.watchdog_interval == interval
    notifier.close()


def test_what_a_terminal_would_obey_is_escaped(systemd: Systemd, notifier: Notifier) -> None:
    """`systemctl status` prints it as it comes: C1 controls, and text that turns round."""
    notifier.status("web\x9b2J\u202etxt\x1b[1m\x85READY=1")
    assert systemd.read() == "STATUS=web\\x9b2J\\u202etxt\\x1b[1m READY=1"
