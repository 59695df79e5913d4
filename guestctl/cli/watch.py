"""The verb `watch`: what happens to guests, as it happens, and what the service makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ..control.following import follow
from ..control.happened import of_event, of_trail
from ..control.local import Local
from .exits import Exit
from .options import complain_of_blindness, local_of
from .text import emit, printable, when


def watch_verb(arguments: Namespace) -> int:
    """`watch`, until Ctrl-C, or until nobody reads it any more."""
    local = local_of(arguments)
    complain_of_blindness(local)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_follow(local, _as_json if arguments.json else _as_text))
    return Exit.OK


async def _follow(local: Local, as_line: Callable[[dict[str, Any]], str]) -> None:
    following = asyncio.ensure_future(
        follow(local, lambda event: show(of_event(event)), lambda it: show(of_trail(it)))
    )

    def show(line: dict[str, Any]) -> None:
        if not emit(as_line(line)):
            following.cancel()

    await following


def _as_json(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _as_text(line: dict[str, Any]) -> str:
    what = f"{line['source']}  {line['reason']}" if "source" in line else _words(line)
    return f"{when(line['at'])}  {printable(line['name'])}  {printable(what)}\n"


def _words(line: dict[str, Any]) -> str:
    by = " by the guest" if line["by_guest"] else ""
    detail = f" ({line['detail']})" if line["detail"] not in ("", "unknown") else ""
    return f"event  {line['event']}{by}{detail}"
