"""How many examples a property test takes, as a multiple of the profile's (conftest.py)."""

from __future__ import annotations

from hypothesis import settings


def examples(times: float) -> settings:
    """So many times as others: more where one costs little, fewer where one takes long."""
    usual = settings.get_profile(settings.get_current_profile_name())
    return settings(usual, max_examples=int(times * usual.max_examples))
