"""The walk over the table of settings that every document made from it takes."""

from __future__ import annotations

from collections.abc import Callable

from guestctl.config.settings import PROFILE_SETTINGS, SECTIONS, SETTINGS, Setting


def body(heading: Callable[[str], str], entry: Callable[[Setting], str]) -> str:
    """Each section with its settings; the first, "", is what stands outside any section."""
    parts = []
    for section in SECTIONS:
        parts.append(heading(section))
        parts += [entry(row) for row in SETTINGS if row.section == section]
    return "".join(parts)


def whole_run() -> list[str]:
    """What no [[guest]] may override, as "section.key"."""
    return [f"{row.section}.{row.key}".removeprefix(".") for row in SETTINGS if not row.per_guest]


def called_otherwise() -> str:
    """What of a section has another name in a [[guest]]."""
    rows = (row for row in SETTINGS if row.per_guest and row.guest_key != row.key)
    return ", ".join(f"[{row.section}] {row.key} is {row.guest_key}" for row in rows)


def not_in_profiles() -> list[str]:
    """What of [shutdown] no [profile.NAME] may have, by key."""
    rows = (row for row in SETTINGS if row.section == "shutdown")
    return [row.key for row in rows if row not in PROFILE_SETTINGS]
