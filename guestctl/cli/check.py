"""The verb `check`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from ..config import reading
from ..config.reading import ConfigError, Problem
from .exits import CommandError, Exit
from .text import emit, print_json


def check_verb(arguments: Namespace) -> int:
    """`check [FILE]`: the host's configuration, or one file alone."""
    file = arguments.file or getattr(arguments, "config", None)
    problems = _problems(file)
    if arguments.json:
        print_json([_problem_json(problem) for problem in problems])
    elif not problems:
        emit(f"{file or 'the configuration'}: no problems found\n")
    if problems:
        raise CommandError(Exit.WRONG_REQUEST, "\n".join(str(problem) for problem in problems))
    return Exit.OK


def _problems(file: Path | None) -> tuple[Problem, ...]:
    try:
        reading.load(file)
    except ConfigError as error:
        return error.problems
    return ()


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": str(problem.file),
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
    }
