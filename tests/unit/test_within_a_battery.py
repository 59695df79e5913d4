"""`--within upsc:NAME@HOST`: what upsc says becomes seconds, or the deadline counts."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.control import battery
from guestctl.host import ups
from guestctl.model.units import BadValue
from guestctl.model.ups import Ups, parse_ups
from tests.unit.command import TEST, Command

UPS = Ups("ups@localhost")
NAMES = ("ups", "ups@localhost", "rack-1.a@10.0.0.7:3493", "ups@[::1]", "ups@[fe80::1]:3493", "_0")
NO_NAMES = (
    *("", "@", "ups@", "@host", "-l", "ups@-x", "ups@host:", "ups@host:x", "ups@[]", "ups@a b"),
    *("ups@host:123456", "ups;reboot", "ups\n", "../ups", "ups@[::1", "u" * 64, "üps"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_upsc_takes(name: str) -> None:
    assert str(parse_ups(name)) == name


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_of_a_ups(name: str) -> None:
    with pytest.raises(BadValue):
        parse_ups(name)


#: What is left of a battery's seconds.
LEFT = ((1, 30), (10, 30), (60, 30), (70, 35), (120, 60), (121, 61), (600, 540), (1200, 1080))


@pytest.mark.parametrize(("runtime", "left"), LEFT)
def test_a_minute_or_a_tenth_is_kept_and_half_at_most_and_half_a_minute_is_there(
    runtime: float, left: float
) -> None:
    assert battery.without_margin(runtime) == pytest.approx(left)


def upsc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a upsc that is nobody else's."""
    program = tmp_path / "upsc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_upsc_is_asked_for_one_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upsc(tmp_path, monkeypatch, 'echo "$LC_ALL $*" >&2; echo SSL >&2; echo 600.50')
    assert asyncio.run(ups.runtime(UPS)) == 600.5
    upsc(tmp_path, monkeypatch, 'echo "$LC_ALL $*" >&2; exit 1')
    with pytest.raises(ups.RuntimeUnknown, match=r"^C ups@localhost battery\.runtime$"):
        asyncio.run(ups.runtime(UPS))


#: What upsc does; the reason.
UNKNOWN = (
    ("echo 'Init SSL' >&2; echo 'Error: Data stale' >&2; exit 1", "Data stale"),
    ("echo 'Error: Variable not supported by UPS' >&2; exit 1", "Variable not supported by UPS"),
    ("exit 1", "upsc says no more"),
    ("kill -9 $$", "upsc says no more"),
    ("echo", 'battery.runtime is "", which is no number'),
    ("echo full", 'battery.runtime is "full", which is no number'),
    ("echo 0", 'battery.runtime is "0"'),
    ("echo -1", 'battery.runtime is "-1"'),
    ("echo inf", 'battery.runtime is "inf"'),
    ("echo nan", 'battery.runtime is "nan"'),
    ("printf '\\377\\n'", "which is no number"),
)


@pytest.mark.parametrize(("script", "reason"), UNKNOWN)
def test_where_it_is_not_known_the_deadline_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    upsc(tmp_path, monkeypatch, script)
    said: list[str] = []
    assert battery.seconds_of(UPS, Config(), None, said.append) is None
    (text,) = said
    assert text.startswith("cannot tell how long the battery of ups@localhost lasts: ")
    assert reason in text
    assert text.endswith("; the deadline counts, 25min")


def test_no_upsc_and_none_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ups.RuntimeUnknown, match="cannot run upsc: No such file or directory"):
        asyncio.run(ups.runtime(UPS))
    monkeypatch.undo()
    monkeypatch.setattr(ups, "LIMIT", 0.05)
    upsc(tmp_path, monkeypatch, "exec sleep 5")
    with pytest.raises(ups.RuntimeUnknown, match=r"no answer within 0\.05 s"):
        asyncio.run(ups.runtime(UPS))


def test_a_deadline_that_ends_before_the_battery_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsc(tmp_path, monkeypatch, "echo 3600")
    said: list[str] = []
    config = Config(profiles={"ups": {"deadline": 180.0}})
    assert battery.seconds_of(UPS, config, None, said.append, said.append) == 25 * 60
    assert battery.seconds_of(UPS, config, "ups", said.append, said.append) == 180
    assert said[1] == "the battery of ups@localhost lasts 1h: within 3min"


def test_seconds_are_what_they_are() -> None:
    assert battery.seconds_of(180.0, Config(), None, pytest.fail) == 180.0
    assert battery.seconds_of(None, Config(), None, pytest.fail) is None


def test_the_command_goes_by_it(command: Command) -> None:
    program = command.home / "upsc"
    program.write_text("#!/bin/sh\necho 100\n")
    program.chmod(0o755)
    env = {"PATH": f"{command.home}:{os.environ['PATH']}"}
    plan = command.run("plan", "-c", TEST, "--within", "upsc:ups@localhost", env=env)
    assert "at most 65s" in plan.stdout  # with the last poweroff's 15 s
    assert plan.stderr == "guestctl: the battery of ups@localhost lasts 100s: within 50s\n"
    program.unlink()
    words = ("shutdown", "--preserve", "-q", "-c", TEST, "--within", "upsc:ups@localhost")
    without = command.run(*words, env={"PATH": str(command.home)})
    assert "cannot run upsc: No such file or directory;" in without.stderr
    history = command.run("history", "-c", TEST).stdout
    assert "preserve" in history
