"""The verb `check`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..config import effective, reading
from ..config.problems import Message, Problem
from ..config.reading import Reading
from ..control.configured import default_meant, say_of_libvirt, say_unused
from ..control.guest_reading import settings_of, with_guests
from ..control.guest_settings import GuestSettings
from ..control.local import Local, open_local
from ..control.requests import Failure, RequestError
from .exits import Exit, complain
from .sources import config_file, connect
from .text import emit, print_json


def check_verb(arguments: Namespace) -> int:
    """`check [FILE]`, `--show` and `--guest`: the host's configuration, or one file alone."""
    file = arguments.file or config_file(arguments)
    found = reading.read(file)
    local = open_local(found.config, connect(arguments), complain)
    if not (file or found.problems):
        found = with_guests(found, local)
    notices = found.notices
    if arguments.json and not (arguments.show or arguments.guest):
        print_json([_message_json(message) for message in (*found.problems, *notices)])
    for notice in notices:
        complain(str(notice))
    if found.problems:
        text = "\n".join(str(problem) for problem in found.problems)
        raise RequestError(Failure.WRONG_REQUEST, text)
    if not file:
        say_unused(found.config, complain)
        say_of_libvirt(complain)
    _tell(found, local, arguments)
    return Exit.OK


def _tell(found: Reading, local: Local, arguments: Namespace) -> None:
    if arguments.guest:
        _show_guest(settings_of(found, arguments.guest, local), json=arguments.json)
    elif arguments.show:
        _show(found, json=arguments.json)
    elif not arguments.json:
        file = arguments.file or config_file(arguments)
        if meant := default_meant(found.config):
            emit(f"{meant}\n")
        emit(f"{file or 'the configuration'}: no problems found\n")


def _show(found: Reading, *, json: bool) -> None:
    if json:
        print_json(effective.as_json(found))
    else:
        meant = default_meant(found.config)
        emit(effective.as_toml(found) + (f"\n# {meant}\n" if meant else ""))


def _show_guest(found: GuestSettings, *, json: bool) -> None:
    guest = found.guest
    for problem in found.problems:
        complain(f"{guest.name}: {problem}")
    if json:
        print_json([value for table in found.tables for value in effective.table_json(table)])
    else:
        which = f"{guest.id.uuid} on {guest.id.uri}" if guest.id.uuid else "no guest that there is"
        emit("\n".join(effective.table_toml(table, which) for table in found.tables))


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "severity": "problem" if isinstance(message, Problem) else "notice",
        "file": None if message.place.guest else str(message.place.file),
        "line": message.place.line,
        "guest": message.place.guest or None,
        "key": message.key,
        "message": message.message,
    }
