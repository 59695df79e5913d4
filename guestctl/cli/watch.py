"""The verb `watch`: what happens to guests, as it happens, and what the service makes of it."""

from __future__ import annotations

import json
from argparse import Namespace

from ..control.happened import Line
from .exits import Exit
from .options import client_of, complain_of_blindness
from .text import emit, printable, when


def watch_verb(arguments: Namespace) -> int:
    """`watch`, until Ctrl-C, or until nobody reads it any more."""
    client = client_of(arguments)
    complain_of_blindness(client)
    as_line = _as_json if arguments.json else _as_text
    client.watch(lambda line: emit(as_line(line)))
    return Exit.OK


def _as_json(line: Line) -> str:
    return json.dumps(line) + "\n"


def _as_text(line: Line) -> str:
    what = f"{line['source']}  {line['reason']}" if "source" in line else _words(line)
    return f"{when(line['at'])}  {printable(line['name'])}  {printable(what)}\n"


def _words(line: Line) -> str:
    by = " by the guest" if line["by_guest"] else ""
    detail = f" ({line['detail']})" if line["detail"] not in ("", "unknown") else ""
    return f"event  {line['event']}{by}{detail}"
