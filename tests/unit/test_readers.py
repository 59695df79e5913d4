"""Who may read: by the mode of libvirt's read-only socket, and by polkit."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from guestctl.host import readers
from guestctl.host.polkit import ALLOWED, Answer, Verdict
from guestctl.host.readers import ACTION, may_read
from tests.unit.running import run_async

USER, GROUP, OTHERS, OTHER = 70001, 70002, 70003, 70004


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A socket of libvirt's, or what counts as one; polkit lets everybody in."""
    made = tmp_path / "run" / "libvirt-sock-ro"
    made.parent.mkdir(mode=0o755)
    made.touch()

    async def allow(caller: str, action: str, **_: Any) -> Answer:
        assert (caller, action) == (":1.7", ACTION)
        return ALLOWED

    monkeypatch.setattr(readers, "authorization", allow)
    return made


def ask(*sockets: Path, uid: int = USER) -> Answer:
    return run_async(may_read(uid, ":1.7", interactive=False, starts=False, sockets=sockets))


class _User:
    pw_name, pw_gid = "user", OTHERS


@pytest.fixture(autouse=True)
def in_group(socket: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was looked up in the user database, which has everybody in GROUP as well.

    Once the socket is there: pytest looks itself up for its folder.
    """
    assert socket.exists()
    asked: list[str] = []

    def groups(name: str, first: int) -> list[int]:
        asked.append(name)
        return [first, GROUP]

    monkeypatch.setattr("os.getgrouplist", groups)
    monkeypatch.setattr("pwd.getpwuid", lambda _: _User)
    return asked


def owned(path: Path, mode: int, user: int = 0, group: int = 0) -> None:
    """As if it were so; only root could give it away."""
    path.chmod(mode)
    found = list(os.stat(path))
    found[4:6] = [user, group]
    STATS[path] = os.stat_result(found)


STATS: dict[Path, os.stat_result] = {}


@pytest.fixture(autouse=True)
def _stats(monkeypatch: pytest.MonkeyPatch) -> None:
    STATS.clear()
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **kw: STATS.get(path) or real(path, **kw))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "lets_in"),
    [
        (0o666, 0, 0, True),
        (0o777, 0, 0, True),
        (0o660, 0, GROUP, True),
        (0o660, 0, OTHER, False),
        (0o660, USER, OTHER, True),
        (0o600, 0, GROUP, False),
        (0o440, USER, GROUP, False),
        # Who is in the group is not one of the others, nor is the owner in the group.
        (0o606, 0, GROUP, False),
        (0o606, 0, OTHER, True),
        (0o066, USER, GROUP, False),
    ],
)
def test_by_the_mode(socket: Path, mode: int, owner: int, group: int, lets_in: bool) -> None:
    owned(socket, mode, owner, group)
    assert ask(socket).allowed is lets_in


def test_who_is_shut_out_is_told_by_what(socket: Path) -> None:
    owned(socket, 0o660)
    answer = ask(socket)
    assert answer.verdict is Verdict.REFUSED
    assert str(socket) in answer.text


def test_the_folder_counts_as_well(socket: Path) -> None:
    owned(socket, 0o666)
    owned(socket.parent, 0o750, 0, OTHER)
    assert not ask(socket).allowed
    owned(socket.parent, 0o750, 0, GROUP)
    assert ask(socket).allowed


def test_any_socket_that_lets_in_is_enough(socket: Path) -> None:
    other = socket.with_name("virtqemud-sock-ro")
    other.touch()
    owned(socket, 0o660)
    owned(other, 0o666)
    assert ask(socket, other).allowed
    owned(other, 0o600)
    assert not ask(socket, other).allowed


def test_without_a_socket_polkit_decides(socket: Path) -> None:
    socket.unlink()
    assert ask(socket).allowed


def test_polkit_is_asked_as_well(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: str, **__: Any) -> Answer:
        return Answer(Verdict.UNKNOWN, "no polkit")

    monkeypatch.setattr(readers, "authorization", refuse)
    owned(socket, 0o666)
    assert ask(socket).text == "no polkit"
    assert ask(socket, uid=0).allowed


def test_groups_are_looked_up_where_they_matter(socket: Path, in_group: list[str]) -> None:
    owned(socket, 0o666)
    assert ask(socket).allowed
    assert in_group == []
    owned(socket, 0o660, 0, OTHERS)
    assert ask(socket).allowed
    assert in_group == ["user"]


def test_a_user_database_that_does_not_say(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owned(socket, 0o660, USER)

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert not ask(socket).allowed
    monkeypatch.setattr(readers, "GROUPS_LIMIT", 0.02)
    monkeypatch.setattr("pwd.getpwuid", lambda _: time.sleep(0.1))
    assert not ask(socket).allowed
