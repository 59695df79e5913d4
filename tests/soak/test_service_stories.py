"""A thousand random stories of the service."""

from __future__ import annotations

from .pool import PROCESSES, judge_all
from .service_stories import what_is_wrong

SEEDS = 1_000


def test_a_thousand_seeds() -> None:
    failures = [text for _, text in judge_all(range(SEEDS), what_is_wrong, PROCESSES) if text]
    assert not failures, f"{len(failures)} of {SEEDS} seeds fail\n\n" + "\n\n".join(failures[:3])
