"""The end of a run, for people and for programs."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

from ..control.replies import result_json
from ..model.report import count_of_guests
from ..model.result import RunResult
from .exits import complain
from .text import emit, print_json, printable


def print_result(result: RunResult, arguments: Namespace) -> None:
    """The one JSON object, or a summary; what went wrong always goes to stderr as well."""
    if arguments.json:
        print_json(result_json(result))
    elif not arguments.quiet:
        emit(summary(result) + "\n")
    for guest in result.guests:
        if guest.is_bad(result.kind):
            complain(f"{printable(guest.name)}: {printable(guest.ending)}")
    if result.interrupted:
        complain("the run was interrupted")


def summary(result: RunResult) -> str:
    """How many guests ended how."""
    if not result.guests:
        return "no guest to act on"
    counts = Counter(guest.outcome for guest in result.guests)
    ends = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{count_of_guests(len(result.guests))}: {ends}"
