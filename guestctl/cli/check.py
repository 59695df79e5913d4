"""The verb `check`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..config import effective, reading
from ..config.problems import Message, Problem
from ..config.reading import Reading
from ..control.configured import say_unused
from ..control.requests import Failure, RequestError
from .exits import Exit, complain
from .text import emit, print_json


def check_verb(arguments: Namespace) -> int:
    """`check [FILE]` and `check --show`: the host's configuration, or one file alone."""
    file = arguments.file or getattr(arguments, "config", None)
    found = reading.read(file)
    if arguments.json and not arguments.show:
        print_json([_message_json(message) for message in (*found.problems, *found.notices)])
    for notice in found.notices:
        complain(str(notice))
    if found.problems:
        text = "\n".join(str(problem) for problem in found.problems)
        raise RequestError(Failure.WRONG_REQUEST, text)
    if not file:
        say_unused(found.config, complain)
    if arguments.show:
        _show(found, json=arguments.json)
    elif not arguments.json:
        emit(f"{file or 'the configuration'}: no problems found\n")
    return Exit.OK


def _show(found: Reading, *, json: bool) -> None:
    if json:
        print_json(effective.as_json(found))
    else:
        emit(effective.as_toml(found))


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "severity": "problem" if isinstance(message, Problem) else "notice",
        "file": str(message.place.file),
        "line": message.place.line,
        "key": message.key,
        "message": message.message,
    }
