"""What every verb prints with: lines, tables, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from .exits import OutputLost
from .exits import printable as printable
from .tables import lines_of, paragraph


def when(nanoseconds: int) -> str:
    """A time of day of this host's zone."""
    return datetime.fromtimestamp(nanoseconds / 1e9).strftime("%Y-%m-%d %H:%M:%S")


def emit(text: str) -> bool:
    """Write to stdout, whole; whether somebody reads it.

    A reader that has had enough (`guestctl list | head -1`) is no failure.  OutputLost
    when it is lost otherwise, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
        return False
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
        reason = f"cannot write the output: {error.strerror}"
        raise OutputLost(reason) from error
    return True


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    # In ASCII: what a stream's encoding lacks must not become an escape that JSON does not know.
    emit(json.dumps(value, indent=2) + "\n")


def print_table(
    headings: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    below: Iterable[str] = (),
    *,
    wraps: bool = False,
    whole: bool = False,
) -> None:
    """Columns, cut to the terminal where there is one, and never for a pipe.

    below: what is said after it, each with its own line or lines.
    wraps: whether the last column goes on in the next line, else it is cut.
    whole: nothing is cut, however wide that is.
    """
    width = None if whole else screen_width()
    heading, *lines = lines_of([headings, *rows], width, wraps=wraps)
    below = [line for text in below for line in paragraph(printable(text), width)]
    text = "\n".join([_bold(heading), *lines, *([""] if below else []), *below])
    emit(text + "\n")


def screen_width() -> int | None:
    """Of the terminal; None where stdout is none, or has no width."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns or None


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\x1b[1m{text}\x1b[0m"


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def ago(nanoseconds: int, now: int) -> str:
    """As in "3h ago"; the time itself where the clock says that it is yet to come."""
    seconds = (now - nanoseconds) // 10**9
    if seconds < 0:
        return when(nanoseconds)
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return "just now"
