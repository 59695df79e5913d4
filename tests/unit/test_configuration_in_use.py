"""The configuration on disk and the one that the service uses cannot differ for long."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from guestctl.config import effective, files
from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.host import machine
from guestctl.model.options import Scope
from guestctl.service.configuration import Configuration

NONE, ALL, BROKEN = ('[shutdown]\nsave = "none"\n', '[shutdown]\nsave = "all"\n', "save = none\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where drop-ins are; the main file is beside it, and the copy of good ones."""
    monkeypatch.setattr(files, "MAIN_FILE", tmp_path / "guestctl.toml")
    monkeypatch.setattr(files, "DROP_INS", tmp_path / "conf.d")
    monkeypatch.setattr(machine, "state_folder", lambda: tmp_path / "state")
    (tmp_path / "conf.d").mkdir()
    return tmp_path / "conf.d"


def save(configuration: Configuration) -> Scope:
    return configuration.config.shutdown.save


def test_a_run_goes_by_what_was_written_just_before(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = Configuration(None, None)
    assert not configuration.refresh()
    (folder / "a.toml").write_text(NONE)
    with caplog.at_level(logging.INFO):
        assert configuration.refresh()
    assert save(configuration) is Scope.NONE
    said = 'the configuration was read anew: shutdown.save is "none", was "persistent"'
    assert caplog.messages == [said]
    assert not configuration.refresh()


def test_a_look_waits_until_nothing_more_is_written(folder: Path) -> None:
    configuration = Configuration(None, None)
    (folder / "a.toml").write_text(NONE)
    assert not configuration.look()
    (folder / "b.toml").write_text(ALL)
    assert not configuration.look()
    assert configuration.look()
    assert save(configuration) is Scope.ALL
    assert not configuration.look()


@pytest.mark.parametrize("deed", ["gone", "replaced", "same size"])
def test_every_way_to_write_is_seen(folder: Path, deed: str) -> None:
    file = folder / "a.toml"
    file.write_text(NONE)
    configuration = Configuration(None, None)
    if deed == "gone":
        file.unlink()
    elif deed == "replaced":
        (folder / ".a.new").write_text(ALL)
        (folder / ".a.new").rename(file)
    else:
        before = file.stat()
        file.write_text(ALL + " ")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert configuration.refresh()
    assert save(configuration) is not Scope.NONE


def test_with_mistakes_what_is_in_use_goes_on_and_they_are_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "a.toml").write_text(NONE)
    configuration = Configuration(None, None)
    (folder / "b.toml").write_text(BROKEN)
    assert not configuration.refresh()
    assert save(configuration) is Scope.NONE
    (problem,) = configuration.loaded.problems
    assert "b.toml:1: is not TOML" in str(problem)
    assert configuration.loaded.source == "the configuration of before"
    said = len(caplog.records)
    assert [r.levelno for r in caplog.records] == [logging.ERROR] * said
    assert not configuration.look()
    assert len(caplog.records) == said
    assert not configuration.refresh()
    assert "the run goes by the configuration of before" in caplog.messages[-1]
    (folder / "b.toml").write_text(ALL)
    assert configuration.refresh()
    assert (save(configuration), configuration.loaded.problems) == (Scope.ALL, ())


def test_what_differs_is_named_with_both_values() -> None:
    used = Config(guests=(GuestOverride("db-*", {"save": Scope.NONE}),))
    files_ = Config(shutdown=Shutdown(save_timeout=60.0))
    assert effective.differences(effective.values(files_), effective.values(used)) == [
        'shutdown.save-timeout is "1min" in the files, "10min" in use',
        'guest[1].match is not set in the files, "db-*" in use',
        'guest[1].save is not set in the files, "none" in use',
    ]
    assert effective.differences(effective.values(used), effective.values(used)) == []
