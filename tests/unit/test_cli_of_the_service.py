"""The verbs that ask the service and nobody else, where there is none."""

from __future__ import annotations

import pytest

from tests.unit.command import TEST, Command


@pytest.mark.parametrize("verb", ["attach", "cancel", "reload"])
def test_without_a_service_it_says_so(command: Command, verb: str) -> None:
    result = command.run(verb, status=1)
    assert f"guestctl: cannot {verb}: the service does not run" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("verb", ["attach", "cancel", "reload"])
def test_it_goes_with_nobody_elses_connection(command: Command, verb: str) -> None:
    result = command.run(verb, "-c", TEST, status=2)
    assert f"{verb} goes with neither --connect nor --config: it asks the service" in result.stderr
