"""The last good configuration stands in for a broken one."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.config import last_good

GOOD, BETTER, BROKEN = (f'[shutdown]\ndeadline = "{text}"\n' for text in ("10min", "20min", "soon"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration, a good one."""
    path = tmp_path / "guestctl.toml"
    path.write_text(GOOD)
    return path


def _deadline(file: Path, state: Path) -> tuple[float, str, int]:
    loaded = last_good.load(file, state)
    return loaded.config.shutdown.deadline, loaded.source, len(loaded.problems)


def test_a_good_one_is_used_and_a_broken_one_is_not(file: Path, tmp_path: Path) -> None:
    assert _deadline(file, tmp_path) == (600.0, "", 0)
    last_good.keep(file, tmp_path)
    file.write_text(BROKEN)
    assert _deadline(file, tmp_path) == (600.0, "the last good configuration", 1)


def test_the_newest_good_one_counts(file: Path, tmp_path: Path) -> None:
    last_good.keep(file, tmp_path)
    file.write_text(BETTER)
    last_good.keep(file, tmp_path)
    file.write_text(BROKEN)
    assert _deadline(file, tmp_path)[0] == 1200.0


def test_without_a_copy_what_is_right_is_used(file: Path, tmp_path: Path) -> None:
    file.write_text("[boot]\nparallel = 2\n" + BROKEN)
    loaded = last_good.load(file, tmp_path)
    assert loaded.config.boot.parallel == 2
    assert loaded.source == "what is right in the configuration"


def test_killed_at_any_moment_there_is_a_copy(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the two renames."""
    last_good.keep(file, tmp_path)
    renamed: list[Path] = []
    rename = Path.rename

    def rename_once(self: Path, target: Path) -> Path:
        if renamed:
            raise KeyboardInterrupt
        renamed.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_once)
    with pytest.raises(KeyboardInterrupt):
        last_good.keep(file, tmp_path)
    file.write_text(BROKEN)
    assert _deadline(file, tmp_path) == (600.0, "the last good configuration", 1)
    monkeypatch.undo()
    file.write_text(BETTER)
    last_good.keep(file, tmp_path)
    file.write_text(BROKEN)
    assert _deadline(file, tmp_path)[0] == 1200.0
