"""A key under its old name is said by whoever reads the configuration, and hinders nothing."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from guestctl.cli.check import check_verb
from guestctl.cli.exits import complain
from guestctl.config import last_good, reading
from guestctl.config.settings import SETTINGS
from guestctl.control.configured import load_config
from guestctl.control.requests import RequestError
from guestctl.host import machine
from guestctl.service.configuration import Configuration


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a key that has been renamed in the meantime."""
    rows = [
        replace(row, old_names=("attempts",)) if row.name == "retries" else row for row in SETTINGS
    ]
    monkeypatch.setattr(reading, "read", partial(reading.read, rows=rows))
    monkeypatch.setattr(machine, "state_folder", lambda: tmp_path / "state")
    path = tmp_path / "one.toml"
    path.write_text("[boot]\nattempts = 7\n")
    return path


def said(file: Path) -> str:
    """The notice."""
    return f'{file}:2: boot.attempts: is now called "retries"'


def check(file: Path, *, json: bool = False, show: bool = False) -> int:
    """The verb `check`."""
    return check_verb(Namespace(file=file, json=json, show=show, guest=None))


def test_check_says_it_and_finds_no_problem(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file) == 0
    out, err = capsys.readouterr()
    assert out == f"{file}: no problems found\n"
    assert err == f"guestctl: {said(file)}\n"


def test_programs_can_tell_it_from_a_problem(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(file, json=True) == 0
    told = {"file": str(file), "line": 2, "guest": None, "key": "boot.attempts"}
    notice = {"severity": "notice", **told, "message": 'is now called "retries"'}
    assert json.loads(capsys.readouterr().out) == [notice]
    file.write_text("[boot]\nattempts = 7\nparallel = 0\n")
    with pytest.raises(RequestError):
        check(file, json=True)
    found = json.loads(capsys.readouterr().out)
    assert [(m["severity"], m["line"]) for m in found] == [("problem", 3), ("notice", 2)]


def test_shown_is_the_new_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file, show=True) == 0
    out, err = capsys.readouterr()
    assert f"retries = 7  # {file}:2\n" in out
    assert err == f"guestctl: {said(file)}\n"
    assert check(file, show=True, json=True) == 0
    values = json.loads(capsys.readouterr().out)
    assert [v["line"] for v in values if v["key"] == "retries"] == [2]


def test_commands_say_it_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_config(file, complain, strict=True).config.boot.retries == 7
    assert capsys.readouterr().err == f"guestctl: {said(file)}\n"


def test_the_service_says_it_once_in_its_journal(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        loaded = Configuration(file, None).loaded
    assert loaded.config.boot.retries == 7
    assert (loaded.source, loaded.problems) == ("", ())
    assert caplog.messages == [f"the configuration: {said(file)}"]


def test_what_has_a_notice_is_a_good_configuration(file: Path, tmp_path: Path) -> None:
    last_good.keep(file, tmp_path)
    loaded = last_good.load(file, tmp_path)
    assert [str(notice) for notice in loaded.notices] == [said(file)]
    assert loaded.source == ""


def test_a_deadline_beyond_systemds_own_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.toml"
    path.write_text('[shutdown]\ndeadline = "27min"\n')
    assert check(path) == 0
    assert capsys.readouterr().err == ""
    path.write_text('[shutdown]\ndeadline = "40min"\n')
    assert check(path) == 0
    assert f"{path}:2: shutdown.deadline: a stop of the host has 27min at most" in (
        capsys.readouterr().err
    )
