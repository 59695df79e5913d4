"""That systemd stopped units, as service and guard tell each other."""

from __future__ import annotations

from pathlib import Path

from guestctl.host.units_stopped import UnitsStopped


def test_the_guard_says_it_and_the_next_stop_takes_it_back(tmp_path: Path) -> None:
    stopped = UnitsStopped(tmp_path)
    assert not stopped.said()
    stopped.forget()
    stopped.say()
    stopped.say()
    assert UnitsStopped(tmp_path).said()
    stopped.forget()
    assert not UnitsStopped(tmp_path).said()


def test_a_folder_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    stopped = UnitsStopped(tmp_path / "gone")
    stopped.say()
    stopped.forget()
    assert not stopped.said()


def test_what_cannot_be_told_counts_as_a_boot(tmp_path: Path) -> None:
    """As it always did: who is owed a start gets it."""
    (tmp_path / "file").touch()
    assert UnitsStopped(tmp_path / "file").said()
