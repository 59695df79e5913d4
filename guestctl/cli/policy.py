"""The verb `policy`: a guest's settings, where each comes from, and changing its own."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..config import reading
from ..config.effective import Entry
from ..control.guest_settings import GuestSettings
from ..control.replies import ChangedPolicy
from ..control.requests import PolicyRequest
from .exits import Exit, complain
from .options import client_of
from .sources import config_file
from .text import emit, print_json, print_table, printable


def policy_verb(arguments: Namespace) -> int:
    """`policy GUEST`, with --set and --unset; 1 where its metadata have a mistake."""
    found = reading.read(config_file(arguments))
    for problem in found.problems:
        complain(str(problem))
    client = client_of(arguments, found.config)
    if not (arguments.given or arguments.dropped):
        settings = client.policy(found, arguments.guest)
        return _print(arguments, settings, _json(settings))
    asked = (arguments.guest, arguments.given, arguments.dropped, arguments.reason)
    changed = client.change_policy(found, PolicyRequest(*asked))
    status = _print(arguments, changed.settings, _changed_json(changed), _told(changed))
    for remark in changed.remarks:
        complain(remark)
    return status if changed.is_booked else Exit.NOT_ALL_WELL


def _print(
    arguments: Namespace, settings: GuestSettings, as_json: dict[str, Any], told: str = ""
) -> Exit:
    if arguments.json:
        print_json(as_json)
    else:
        emit(told)
        _show(settings)
    return Exit.NOT_ALL_WELL if settings.problems else Exit.OK


def _told(changed: ChangedPolicy) -> str:
    name = changed.settings.guest.name
    texts = map(str, changed.changes) if changed.changes else ["nothing to change"]
    return "".join(f"{printable(name)}: {printable(text)}\n" for text in texts)


def _changed_json(changed: ChangedPolicy) -> dict[str, Any]:
    changes = [change._asdict() for change in changed.changes]
    return {**_json(changed.settings), "changes": changes, "remarks": list(changed.remarks)}


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
