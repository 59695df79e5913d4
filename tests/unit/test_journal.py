"""Lines of the log: with fields where there is a journal, on stderr where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl import journal
from guestctl.journal import Priority, log


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bytes]:
    """The fields handed to the journal, of which there is one."""
    fields: list[bytes] = []
    monkeypatch.setattr("systemd.journal.sendv", lambda *args: fields.extend(args))
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path))
    return fields


def test_a_line_with_fields(sent: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    log("wéb: saved", priority=Priority.NOTICE, guest="wéb", run=7, uri="qemu:///system", uuid=None)
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
    assert sent[0] == b"MESSAGE=a?"


def test_without_a_journal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "SOCKET", "/nowhere/socket")
    log("one\ntwo", priority=Priority.WARNING, guest="web")
    log("three")
    assert capsys.readouterr().err == "<4>one\n<4>two\n<6>three\n"


def test_a_journal_that_fails(
    sent: list[bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: bytes) -> None:
        raise OSError("no room")

    monkeypatch.setattr("systemd.journal.sendv", fail)
    log("lost otherwise", priority=Priority.ERROR)
    assert capsys.readouterr().err == "<3>lost otherwise\n"
