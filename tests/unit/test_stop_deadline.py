"""By when a person wants the host's stop to be through, in a file of this boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host import stop_deadline


def test_it_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "guestctl"
    assert stop_deadline.kept(folder) is None
    stop_deadline.keep(folder, 180.25)
    assert stop_deadline.kept(folder) == 180.25
    stop_deadline.keep(folder, 12)
    assert stop_deadline.kept(folder) == 12
    stop_deadline.forget(folder)
    stop_deadline.forget(folder)
    assert stop_deadline.kept(folder) is None


@pytest.mark.parametrize("text", ["", "soon", "NaN", "[1]", "null", '"3"', "Infinity", "{"])
def test_what_is_no_time_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "stop-by.json").write_text(text)
    assert stop_deadline.kept(tmp_path) is None
