"""A scenario as the text of its folder: the reverse of `read_script`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import GUEST_SETTINGS, PROFILE_SETTINGS, SETTINGS, Setting
from guestctl.model.units import show_duration, show_size

from .behaviour import GuestSpec
from .events import Line, Turn
from .scenario import Script


def write_script(script: Script, folder: Path) -> None:
    """Make the folder of a scenario, but for what is rewritten with UPDATE=1."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in script_texts(script).items():
        (folder / name).write_text(text)


def script_texts(script: Script) -> dict[str, str]:
    """The files of a scenario's folder by name, but for must.txt and what follows from it."""
    return {
        "facts.toml": facts_text(script.guests, script.room),
        "config.toml": config_text(script.config),
        "events.txt": events_text(script.turns, script.why),
    }


def facts_text(guests: Iterable[GuestSpec], room: Mapping[str, int]) -> str:
    """facts.toml."""
    lines = [f"{_quoted(uri)} = {_quoted(show_size(size))}" for uri, size in room.items()]
    parts = ["\n".join(["[room]", *lines])] if room else []
    parts += ["\n".join(["[[guest]]", *_guest_lines(guest)]) for guest in guests]
    return "\n\n".join(parts) + "\n"


def _guest_lines(guest: GuestSpec) -> Iterator[str]:
    for key, value in _changes(guest):
        if key == "behaviour":
            yield from (f"{name} = {_shown(part)}" for name, part in _changes(value))
        else:
            yield f"{key} = {_shown(value)}"


def _changes(thing: Any) -> Iterator[tuple[str, Any]]:
    """The fields that are not as they are by default."""
    for row in fields(thing):
        value = getattr(thing, row.name)
        default = row.default_factory() if callable(row.default_factory) else row.default
        if value != default:
            yield row.name.replace("_", "-"), value


def _shown(value: Any) -> str:
    if is_dataclass(value):
        return "{ " + ", ".join(f"{key} = {_shown(part)}" for key, part in _changes(value)) + " }"
    if hasattr(value, "_asdict"):
        rows = value._asdict().items()
        parts = (f"{key.replace('_', '-')} = {_shown(part)}" for key, part in rows)
        return "{ " + ", ".join(parts) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if value is None:
        return _quoted("unknown")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, StrEnum | str):
        return _quoted(value)
    if isinstance(value, float):
        return _quoted("never" if value == inf else show_duration(value))
    return _quoted(show_size(value)) if value >= 2**20 else str(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def config_text(config: Config) -> str:
    """config.toml: what differs from the defaults."""
    parts = [
        _section(config.general, [row for row in SETTINGS if not row.section], ""),
        _section(config.shutdown, [row for row in SETTINGS if row.section == "shutdown"]),
        _section(config.boot, [row for row in SETTINGS if row.section == "boot"]),
        _section(config.order, [row for row in SETTINGS if row.section == "order"]),
        *(_profile("profile", *of_host) for of_host in config.profiles.items()),
        *map(_override, config.guests),
    ]
    return "\n".join(part for part in parts if part)


def _section(values: Any, rows: list[Setting], head: str | None = None) -> str:
    lines = [
        f"{row.key} = {row.kind.show(getattr(values, row.name))}\n"
        for row in rows
        if getattr(values, row.name) != row.default
    ]
    title = f"[{rows[0].section}]\n" if head is None else head
    return title + "".join(lines) if lines else ""


def _override(override: GuestOverride) -> str:
    rows = [row for row in GUEST_SETTINGS if row.name in override.values]
    lines = [f"{row.guest_key} = {row.kind.show(override.values[row.name])}\n" for row in rows]
    parts = [f"[[guest]]\nmatch = {_quoted(override.match)}\n" + "".join(lines)]
    parts += [_profile("guest.profile", *own) for own in override.profiles.items()]
    return "\n".join(parts)


def _profile(table: str, name: str, values: Mapping[str, Any]) -> str:
    rows = [row for row in PROFILE_SETTINGS if row.name in values]
    lines = [f"{row.key} = {row.kind.show(values[row.name])}\n" for row in rows]
    return f"[{table}.{name}]\n" + "".join(lines)


def events_text(turns: Iterable[Turn], why: str = "") -> str:
    """events.txt; why: its first line."""
    lines = [f"# {why}"] if why else []
    for turn in turns:
        if turn.command:
            lines.append(_line(turn.command, ""))
        lines += [_line(happening, "  ") for happening in turn.happenings]
    return "\n".join(lines) + "\n"


def _line(line: Line, indent: str) -> str:
    time = ("+" if line.relative else "") + show_duration(line.seconds).replace(" ", "")
    return f"{time:<8} {indent}{line.deed}"
