"""Lines of the log: with fields where there is a journal, on stderr where there is none."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.host import journal
from guestctl.host.journal import started

logger = logging.getLogger("guestctl.service.somewhere")


class Journald:
    """Takes nothing until it is let."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.has_begun = threading.Event()
        self.sent: list[list[str]] = []

    def __call__(self, *fields: bytes) -> None:
        self.has_begun.set()
        self.goes_on.wait()
        self.sent.append([field.decode() for field in fields])

    @property
    def messages(self) -> list[str]:
        """What was sent, without its fields."""
        return [fields[0].removeprefix("MESSAGE=") for fields in self.sent]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Journald]:
    """The journal is there and hangs."""
    journald = Journald()
    monkeypatch.setattr("systemd.journal.sendv", journald)
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path))
    yield journald
    journald.goes_on.set()


@pytest.fixture
def journald(hanging: Journald) -> Journald:
    """The journal is there and takes what it gets."""
    hanging.goes_on.set()
    return hanging


def test_a_line_with_fields(journald: Journald, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"GUESTCTL_GUEST": "wéb", "GUESTCTL_RUN": 7, "GUESTCTL_UUID": None}
    with started():
        logger.warning("wéb: saved, 100 %", extra=about)
    fields = ["PRIORITY=4", "SYSLOG_IDENTIFIER=guestctl", "GUESTCTL_GUEST=wéb", "GUESTCTL_RUN=7"]
    assert journald.sent == [["MESSAGE=wéb: saved, 100 %", *fields]]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING + 5, 4),
        (logging.WARNING, 4),
        (logging.INFO, 6),
    ],
)
def test_levels_are_priorities(journald: Journald, level: int, priority: int) -> None:
    with started():
        logger.log(level, "text")
    assert journald.sent[0][1] == f"PRIORITY={priority}"


def test_text_that_is_no_utf8(journald: Journald) -> None:
    with started():
        logger.info("a\udcff")
    assert journald.messages == ["a?"]


def test_a_traceback_is_told(journald: Journald) -> None:
    with started():
        try:
            raise RuntimeError("of ours")
        except RuntimeError:
            logger.exception("internal error")
    assert journald.messages[0].startswith("internal error\nTraceback ")
    assert journald.messages[0].endswith("RuntimeError: of ours")


def test_without_a_journal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "SOCKET", "/nowhere/socket")
    with started():
        logger.warning("one\ntwo", extra={"GUESTCTL_GUEST": "web"})
        logger.info("three")
        logger.debug("not told")
    assert capsys.readouterr().err == "<4>one\n<4>two\n<6>three\n"


def test_a_journal_that_fails(
    journald: Journald, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: bytes) -> None:
        raise OSError("no room")

    monkeypatch.setattr("systemd.journal.sendv", fail)
    with started():
        logger.error("lost otherwise")
    assert capsys.readouterr().err == "<3>lost otherwise\n"


def test_a_line_that_cannot_be_written_does_not_end_the_log(
    journald: Journald, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unspeakable:
        def __format__(self, _: str) -> str:
            raise RuntimeError("cannot be told")

    with started():
        logger.info("one", extra={"GUESTCTL_GUEST": Unspeakable()})
        logger.info("two")
    assert journald.messages == ["two"]
    assert "cannot be told" in capsys.readouterr().err


def test_a_journald_that_hangs_keeps_nobody_waiting(hanging: Journald) -> None:
    with started():
        logger.info("one")
        logger.info("two")
        assert hanging.sent == []
        hanging.goes_on.set()
    assert hanging.messages == ["one", "two"]


def test_the_end_waits_for_a_journald_that_hangs_only_so_long(
    hanging: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FLUSH_LIMIT", 0.1)
    begun = time.monotonic()
    with started():
        logger.info("one")
    assert 0.1 <= time.monotonic() - begun < 5
    assert hanging.sent == []


def test_only_so_many_lines_wait_and_the_others_are_counted(
    hanging: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_WAITING", 3)
    with started():
        logger.info("in hand")
        assert hanging.has_begun.wait(5)
        for number in range(5):
            logger.info(str(number))
        hanging.goes_on.set()
    missing = "journald was behind: 2 lines of guestctl are missing here"
    assert hanging.messages == ["in hand", missing, "0", "1", "2"]


def test_once_it_is_over_nothing_is_left(journald: Journald) -> None:
    before = threading.active_count()
    with started():
        logger.info("one")
    logger.info("two")
    assert threading.active_count() == before
    assert journald.messages == ["one"]


LOGS_AND_ENDS = """
import logging
from guestctl.cli import main
from guestctl.host import journal

journal.SOCKET = "/nowhere"

def verb(argv):
    with journal.started():
        for number in range(200):
            logging.getLogger("guestctl").info("line %d", number)
        return 3

main.main = verb
main.entry()
"""


def test_a_process_that_ends_at_once_has_written_its_last_line() -> None:
    """It ends with os._exit, which runs nothing that was left for the end: 10 of 20 arrived."""
    argv = [sys.executable, "-c", LOGS_AND_ENDS]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [f"<6>line {number}" for number in range(200)]
