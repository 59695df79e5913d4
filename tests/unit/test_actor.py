"""Who is behind a command."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from guestctl.control.asked import note_of
from guestctl.control.command_line import command_line
from guestctl.host import machine
from guestctl.model.history import Actor

#: As proc(5) has it where no login is behind a process.
NO_LOGIN = "4294967295"


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a process that nobody logged in for, without a terminal."""
    monkeypatch.setattr(machine, "_SELF", tmp_path)
    monkeypatch.setattr(os, "ttyname", _no_terminal)
    monkeypatch.delenv("SUDO_USER", raising=False)
    (tmp_path / "loginuid").write_text(NO_LOGIN)
    (tmp_path / "cgroup").write_text("0::/user.slice/session-3.scope\n")
    return tmp_path


def _no_terminal(_stream: int) -> str:
    raise OSError(25, "Inappropriate ioctl for device")


def test_the_login_goes_before_what_sudo_says(
    process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert machine.actor("guestctl").user == me
    monkeypatch.setenv("SUDO_USER", "alice")
    assert machine.actor("guestctl").user == "alice"
    (process / "loginuid").write_text("65534")
    assert machine.actor("guestctl").user == pwd.getpwuid(65534).pw_name
    (process / "loginuid").write_text("4242424")
    assert machine.actor("guestctl").user == "4242424"


def test_where_it_was_typed_is_no_part_of_a_persons_reason() -> None:
    alice = Actor("alice", "pts/0", "guestctl hold web")
    assert note_of(alice, None).text == "guestctl hold web on pts/0"
    assert note_of(alice, "its disk").text == "its disk (on pts/0)"
    assert note_of(Actor("alice", None, "guestctl hold web"), "its disk").text == "its disk"


def test_a_terminal_or_a_unit_is_named(process: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.actor("guestctl start").origin is None
    (process / "cgroup").write_text("0::/system.slice/nut-monitor.service\n")
    found = machine.actor("guestctl shutdown --preserve")
    assert found.origin == "nut-monitor.service"
    assert str(found).endswith(" on nut-monitor.service: guestctl shutdown --preserve")
    monkeypatch.setattr(os, "ttyname", lambda _stream: "/dev/pts/7")
    assert machine.actor("guestctl").where == " on pts/7"


def test_of_a_command_line_without_end_the_beginning_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["guestctl", "hold", "a b", "x" * 100_000])
    line = command_line()
    assert line.startswith("guestctl hold 'a b' xxx")
    assert (len(line), line[-1]) == (1000, "…")


def test_without_proc_the_user_is_known_all_the_same(process: Path) -> None:
    (process / "loginuid").unlink()
    (process / "cgroup").unlink()
    found = machine.actor("guestctl")
    assert (found.user, found.origin) == (pwd.getpwuid(os.getuid()).pw_name, None)


# Of another process

#: proc(5), of a program that is called "a) b".
USER = 4343434
STAT = "42 (a) b) S 1 42 42 {tty} 42 4194304 100 0"


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of process 42, which acts as whoever runs the tests."""
    monkeypatch.setattr(machine, "_PROC", tmp_path)
    folder = tmp_path / "42"
    folder.mkdir(parents=True)
    (folder / "loginuid").write_text("65534")
    (folder / "status").write_text(f"Name:\ta\nUid:\t0\t{USER}\t0\t0\nGid:\t0\t0\t0\t0\n")
    (folder / "stat").write_text(STAT.format(tty=os.makedev(136, 3)))
    return folder


def test_of_a_caller_its_login_and_its_terminal_are_known(caller: Path) -> None:
    found = machine.actor_of(42, USER, "guestctl start")
    assert found == Actor(pwd.getpwuid(65534).pw_name, "pts/3", "guestctl start")
    (caller / "stat").write_text(STAT.format(tty=0))
    (caller / "cgroup").write_text("0::/system.slice/cockpit.service\n")
    assert machine.actor_of(42, USER, "").origin == "cockpit.service"


def test_a_terminal_of_any_kind_has_its_name(
    caller: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_DEVICES", tmp_path)
    (tmp_path / "4:64").mkdir()
    (tmp_path / "4:64/uevent").write_text("MAJOR=4\nMINOR=64\nDEVNAME=ttyS0\n")
    for device, name in ((4, 64), "ttyS0"), ((137, 1), "pts/257"), ((4, 1), None):
        (caller / "stat").write_text(STAT.format(tty=os.makedev(*device)))
        assert machine.actor_of(42, USER, "").origin == name
    (caller / "stat").write_text("garbage")
    assert machine.actor_of(42, USER, "").origin is None


@pytest.mark.parametrize("pid", [42, 43, None])
def test_a_number_that_is_another_users_process_by_now_says_nothing(
    caller: Path, pid: int | None
) -> None:
    other = USER + 4242424
    assert machine.actor_of(pid, other, "x") == Actor(str(other), None, "x")
