"""The configuration of a host: its main file, its drop-ins, and those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.config import files
from guestctl.config.config import Config, GuestOverride
from guestctl.config.problems import ConfigError, Place
from guestctl.config.reading import Reading, read
from guestctl.config.settings import (
    Boot,
)
from guestctl.model.options import Scope
from tests.unit.command import Command
from tests.unit.configuring import load


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/guestctl."""
    monkeypatch.setattr(files, "MAIN_FILE", tmp_path / "guestctl.toml")
    monkeypatch.setattr(files, "DROP_INS", tmp_path / "conf.d")
    (tmp_path / "conf.d").mkdir()
    return tmp_path


def test_a_host_without_configuration_has_the_defaults(host: Path) -> None:
    (host / "conf.d").rmdir()
    assert read().sound() == Config()


def test_drop_ins_alone_are_enough(host: Path) -> None:
    (host / "conf.d/a.toml").write_text("boot.retries = 1")
    assert read().sound().boot.retries == 1


def test_later_files_win_key_by_key_and_guest_tables_add_up(host: Path) -> None:
    (host / "guestctl.toml").write_text('[boot]\nretries = 1\nparallel = 1\n[[guest]]\nmatch="a"')
    (host / "conf.d/20.toml").write_text('[boot]\nretries = 3\n[[guest]]\nmatch="c"')
    (host / "conf.d/10.toml").write_text('[boot]\nretries = 2\nparallel = 2\n[[guest]]\nmatch="b"')
    found = read().sound()
    assert (found.boot.retries, found.boot.parallel) == (3, 2)
    assert [override.match for override in found.guests] == ["a", "b", "c"]


@pytest.mark.parametrize("name", [".10.toml", ".#a.toml", "a.toml~", "a.conf", "a.toml.dpkg-old"])
def test_what_editors_and_dpkg_leave_is_not_read(host: Path, name: str) -> None:
    (host / "conf.d" / name).write_text("nonsense")
    assert read().sound() == Config()


def test_a_named_file_stands_alone(host: Path) -> None:
    (host / "guestctl.toml").write_text("nonsense")
    (host / "conf.d/a.toml").write_text("boot.retries = 1")
    assert load(host, "boot.parallel = 2") == Config(boot=Boot(parallel=2))


def test_what_can_be_used_is_used_and_the_rest_is_told(host: Path) -> None:
    """For units: a slip of the pen must not leave guests to their fate."""
    (host / "guestctl.toml").write_text("[boot]\nretries = -1\nparallel = 2\n")
    (host / "conf.d/10.toml").write_text("nonsense\n")
    (host / "conf.d/20.toml").write_text('[[guest]]\nmatch = "db"\nsave = "none"\nsvae = 1\n')
    found = read()
    assert found.config == Config(
        boot=Boot(parallel=2), guests=(GuestOverride("db", {"save": Scope.NONE}),)
    )
    assert [(p.place.file.name, p.key) for p in found.problems] == [
        ("guestctl.toml", "boot.retries"),
        ("10.toml", ""),
        ("20.toml", "guest[1].svae"),
    ]


def test_where_nothing_can_be_used_the_defaults_are(tmp_path: Path) -> None:
    found = read(tmp_path / "absent.toml")
    assert (found.config, len(found.problems)) == (Config(), 1)


def test_where_all_is_well_nothing_is_told(host: Path) -> None:
    file = host / "guestctl.toml"
    file.write_text("boot.parallel = 2")
    config = Config(boot=Boot(parallel=2))
    assert read() == Reading(config, (), (), {("boot", "parallel"): Place(file, 1)}, ())


def test_the_problems_of_all_files_are_told_at_once(host: Path) -> None:
    (host / "guestctl.toml").write_text("[boot]\nretries = true\nretires = 1\n")
    (host / "conf.d/10.toml").write_text("nonsense\n")
    (host / "conf.d/20.toml").write_bytes(b"\xff")
    (host / "conf.d/30.toml").mkdir()
    (host / "conf.d/40.toml").write_text("\n\nsave = 1\n")
    with pytest.raises(ConfigError) as caught:
        read().sound()
    found = [(p.place.file.name, p.place.line, p.key) for p in caught.value.problems]
    assert found == [
        ("guestctl.toml", 2, "boot.retries"),
        ("guestctl.toml", 3, "boot.retires"),
        ("10.toml", 1, ""),
        ("20.toml", None, ""),
        ("30.toml", None, ""),
        ("40.toml", 3, "save"),
    ]
    assert str(caught.value).count("\n") == 5


@pytest.mark.parametrize("name", ["MAIN_FILE", "DROP_INS"])
def test_what_may_not_be_looked_at_is_a_problem_and_not_the_defaults(
    host: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name too long stands for a folder without permission: modes do not stop root."""
    monkeypatch.setattr(files, name, host / ("x" * 300) / "there")
    with pytest.raises(ConfigError, match="cannot be read"):
        read().sound()


_LOAD = """
import pathlib, sys
from guestctl.config import files, reading
files.MAIN_FILE, files.DROP_INS = (pathlib.Path(sys.argv[1]) / n for n in ("main", "conf.d"))
for problem in reading.read().problems:
    print("problem:", problem)
"""


def test_drop_ins_that_may_not_be_listed_are_a_problem(command: Command) -> None:
    (command.home / "conf.d").mkdir(mode=0o300)
    result = command.python("-c", _LOAD, str(command.home))
    assert result.stdout.startswith("problem: ")
    assert "conf.d: cannot be read: Permission denied" in result.stdout
