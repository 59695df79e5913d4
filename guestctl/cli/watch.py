"""The verb `watch`: what happens to guests, as it happens, and what the service makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..control.following import follow
from ..control.local import Local
from ..model.event import EventKind, GuestEvent
from ..model.history import TrailEvent
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
        follow(local, lambda event: show(_event(event)), lambda it: show(_trail(it)))
    )

    def show(line: dict[str, Any]) -> None:
        if not emit(as_line(line)):
            following.cancel()

    await following


def _event(event: GuestEvent) -> dict[str, Any]:
    monitor = event.kind is EventKind.MONITOR
    return {
        "at": time.time_ns(),
        "name": event.name,
        "uuid": event.guest.uuid,
        "uri": event.guest.uri,
        "event": event.detail if monitor else str(event.kind),
        "detail": event.cause if monitor else event.detail,
        "by_guest": event.by_guest if monitor else None,
    }


def _trail(event: TrailEvent) -> dict[str, Any]:
    return {
        "at": event.entry.at,
        "name": event.name,
        "uuid": event.guest.uuid,
        "uri": event.guest.uri,
        "source": event.entry.source,
        "reason": event.entry.reason,
        "verdict": asdict(event.verdict) if event.verdict else None,
    }


def _as_json(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _as_text(line: dict[str, Any]) -> str:
    what = f"{line['source']}  {line['reason']}" if "source" in line else _words(line)
    return f"{when(line['at'])}  {printable(line['name'])}  {printable(what)}\n"


def _words(line: dict[str, Any]) -> str:
    by = " by the guest" if line["by_guest"] else ""
    detail = f" ({line['detail']})" if line["detail"] not in ("", "unknown") else ""
    return f"event  {line['event']}{by}{detail}"
