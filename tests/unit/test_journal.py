"""Lines of the log: with fields where there is a journal, on stderr where there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.host import journal
from guestctl.host.journal import Priority, flush, log


class Hanging:
    """A journald that takes nothing until it is let."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.has_begun = threading.Event()
        self.sent: list[str] = []

    def __call__(self, *fields: bytes) -> None:
        self.has_begun.set()
        self.goes_on.wait()
        self.sent.append(fields[0].decode().removeprefix("MESSAGE="))


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    """What other tests logged is not taken for this one's, and the other way round."""
    assert flush(5)
    yield
    assert flush(5)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hanging]:
    """The journal is there and hangs."""
    journald = Hanging()
    monkeypatch.setattr("systemd.journal.sendv", journald)
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path))
    yield journald
    journald.goes_on.set()
    assert flush(5)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bytes]:
    """The fields handed to the journal, of which there is one."""
    fields: list[bytes] = []
    monkeypatch.setattr("systemd.journal.sendv", lambda *args: fields.extend(args))
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path))
    return fields


def test_a_line_with_fields(sent: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    log("wéb: saved", priority=Priority.NOTICE, guest="wéb", run=7, uri="qemu:///system", uuid=None)
    assert flush(5)
    assert [field.decode() for field in sent] == [
        "MESSAGE=wéb: saved",
        "PRIORITY=5",
        "SYSLOG_IDENTIFIER=guestctl",
        "GUESTCTL_GUEST=wéb",
        "GUESTCTL_RUN=7",
        "GUESTCTL_URI=qemu:///system",
    ]
    assert capsys.readouterr().err == ""


def test_text_that_is_no_utf8(sent: list[bytes]) -> None:
    log("a\udcff")
    assert flush(5)
    assert sent[0] == b"MESSAGE=a?"


def test_without_a_journal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "SOCKET", "/nowhere/socket")
    log("one\ntwo", priority=Priority.WARNING, guest="web")
    log("three")
    assert flush(5)
    assert capsys.readouterr().err == "<4>one\n<4>two\n<6>three\n"


def test_a_journal_that_fails(
    sent: list[bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: bytes) -> None:
        raise OSError("no room")

    monkeypatch.setattr("systemd.journal.sendv", fail)
    log("lost otherwise", priority=Priority.ERROR)
    assert flush(5)
    assert capsys.readouterr().err == "<3>lost otherwise\n"


def test_a_journald_that_hangs_keeps_nobody_waiting(hanging: Hanging) -> None:
    log("one")
    log("two")
    assert not flush(0)
    hanging.goes_on.set()
    assert flush(5)
    assert hanging.sent == ["one", "two"]


def test_only_so_many_lines_wait_and_the_others_are_counted(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_WAITING", 3)
    monkeypatch.setattr(journal, "_writer", journal._Writer())
    log("in hand")
    assert hanging.has_begun.wait(5)
    for number in range(5):
        log(str(number))
    hanging.goes_on.set()
    assert flush(5)
    missing = "journald was behind: 2 lines of guestctl are missing here"
    assert hanging.sent == ["in hand", missing, "0", "1", "2"]
