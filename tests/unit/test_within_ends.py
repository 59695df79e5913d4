"""What `--within` of a preserve leaves for the host's stop, and what ends it."""

from __future__ import annotations

from tests.unit.command import TEST, Command


def test_starting_a_guest_ends_it(command: Command) -> None:
    kept = command.run_folder / "stop-by.json"
    command.run("shutdown", "--preserve", "--within", "20s", "-c", TEST)
    assert kept.exists()
    command.run("start", "test", "-c", TEST)
    assert not kept.exists()
