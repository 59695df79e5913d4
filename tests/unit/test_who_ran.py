"""Who ran, kept in a file for whoever comes after a service that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host import locks, who_ran
from guestctl.model.guest import GuestId
from guestctl.model.instant import Instant

A, B = GuestId("qemu:///system", "a"), GuestId("qemu:///system", "b")
SECOND = 10**9
NOW = Instant(0, "boot", 1000 * SECOND)


def later(seconds: float) -> Instant:
    return NOW._replace(up=NOW.up + int(seconds * SECOND))


def test_what_was_said_last_holds_for_a_while(tmp_path: Path) -> None:
    locks.service_lives(tmp_path, NOW)
    who_ran.keep(tmp_path, [A])
    who_ran.keep(tmp_path, [B, A])
    assert who_ran.kept(tmp_path, later(who_ran.JUST_NOW)) == {A, B}
    assert who_ran.kept(tmp_path, later(who_ran.JUST_NOW + 1)) == frozenset()


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", "[[1]]", "null"])
def test_nobody_where_it_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    locks.service_lives(tmp_path, NOW)
    if text is not None:
        (tmp_path / "ran.json").write_text(text)
    assert who_ran.kept(tmp_path, NOW) == frozenset()


def test_nothing_is_kept_where_there_is_no_folder(tmp_path: Path) -> None:
    who_ran.keep(tmp_path / "none", [A])
    assert who_ran.kept(tmp_path / "none", NOW) == frozenset()
