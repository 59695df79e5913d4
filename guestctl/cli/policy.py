"""The verb `policy`: a guest's settings, and where each comes from."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..config import reading
from ..config.effective import Entry
from ..control.guest_settings import GuestSettings, policy_of
from .exits import Exit, complain
from .options import config_file, local_of
from .text import emit, print_json, print_table, printable


def policy_verb(arguments: Namespace) -> int:
    """`policy GUEST`; 1 where its metadata have a mistake."""
    found = reading.read(config_file(arguments))
    for problem in found.problems:
        complain(str(problem))
    local = local_of(arguments, found.config)
    settings = policy_of(found, arguments.guest, local)
    if arguments.json:
        print_json(_json(settings))
    else:
        _show(settings)
    return Exit.NOT_ALL_WELL if settings.problems else Exit.OK


def _show(settings: GuestSettings) -> None:
    guest = settings.guest
    emit(f"{printable(guest.name)}, {guest.id.uuid} on {guest.id.uri}\n")
    lines = [(entry.key, entry.value, _origin(entry)) for entry in settings.entries]
    for profile, entries in settings.profiles.items():
        prefix = f"profile.{profile}."
        lines += [(prefix + entry.key, entry.value, _origin(entry)) for entry in entries]
    print_table(("SETTING", "VALUE", "FROM"), lines, whole=True)
    for problem in settings.problems:
        complain(f"the metadata of {guest.name}: {problem}: it counts as not given")


def _origin(entry: Entry) -> str:
    if entry.place is None:
        return "default"
    return "metadata" if entry.place.guest else str(entry.place)


def _json(settings: GuestSettings) -> dict[str, Any]:
    guest = settings.guest
    profiles = settings.profiles.items()
    return {
        "name": guest.name,
        "uuid": guest.id.uuid,
        "uri": guest.id.uri,
        "settings": [_setting(entry) for entry in settings.entries],
        "profiles": {profile: [_setting(it) for it in entries] for profile, entries in profiles},
        "problems": list(settings.problems),
    }


def _setting(entry: Entry) -> dict[str, Any]:
    place = entry.place
    origin = "default" if place is None else "metadata" if place.guest else "file"
    return {
        "key": entry.key,
        "value": entry.plain,
        "from": origin,
        "file": str(place.file) if place and not place.guest else None,
        "line": place.line if place else None,
    }
