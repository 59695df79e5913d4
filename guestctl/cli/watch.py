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

from ..control import local as common
from ..host import machine
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..host.locks import is_service_running
from ..model.event import EventKind, GuestEvent
from ..model.history import TrailEvent
from ..model.ports import HypervisorError, within
from ..model.uris import is_system
from ..runs.context import READ_LIMIT
from .exits import Exit, complain
from .text import emit, printable, when

#: How often the ledger is looked at, and a connection that broke is tried again.
LOOK, RECONNECT = 0.5, 2.0


def watch_verb(arguments: Namespace) -> int:
    """`watch`, until Ctrl-C."""
    uris = common.uris(arguments, common.load_config(arguments))
    common.complain_of_blindness(uris)
    if not is_service_running(machine.run_folder()):
        complain("the service does not run: there are events, but nobody who judges them")
    asyncio.run(_watch(uris, _as_json if arguments.json else _as_text))
    return Exit.OK


async def _watch(uris: tuple[str, ...], show: Callable[[dict[str, Any]], None]) -> None:
    async with asyncio.TaskGroup() as group:
        for uri in uris:
            # Whoever may not act may still listen, though not to QEMU's monitor.
            may_act = machine.is_root() or not is_system(uri)
            hypervisor = LibvirtHypervisor(uri, read_only=not may_act)
            group.create_task(_follow(hypervisor, show))
        group.create_task(_follow_ledger(show))


async def _follow(hypervisor: LibvirtHypervisor, show: Callable[[dict[str, Any]], None]) -> None:
    hypervisor.listen(lambda event: show(_event(event)))
    told = ""
    while True:
        try:
            disconnected = await within(READ_LIMIT, hypervisor.subscribe())
            complain(f"connected to {hypervisor.uri}")
            await disconnected.wait()
            told = ""
            complain(f"the connection to {hypervisor.uri} broke; trying again")
        except HypervisorError as error:
            if str(error) != told:
                told = str(error)
                complain(f"{error}; trying again")
        await asyncio.sleep(RECONNECT)


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


async def _follow_ledger(show: Callable[[dict[str, Any]], None]) -> None:
    """The trails of all guests, from now on; the service writes its verdicts there."""
    seen, state = common.ask_ledger(lambda ledger: ledger.trail.newest(), 0), _state()
    while True:
        await asyncio.sleep(LOOK)
        before, state = state, _state()
        for news in _since(seen) if state != before else ():
            seen = news.number
            show(_news(news))


def _since(seen: int) -> list[TrailEvent]:
    nothing: list[TrailEvent] = []
    return common.ask_ledger(lambda ledger: ledger.trail.since(seen), nothing)


def _state() -> list[tuple[int, int]]:
    """Of the ledger's files: to open a ledger means to check it, too much for each look."""
    path = common.ledger_path()
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((stat.st_mtime_ns, stat.st_size))
    return found


def _news(news: TrailEvent) -> dict[str, Any]:
    verdict = asdict(news.verdict) if news.verdict else {}
    return {
        "at": news.entry.at,
        "name": news.name,
        "uuid": news.guest.uuid,
        "uri": news.guest.uri,
        "source": news.entry.source,
        "reason": news.entry.reason,
        "verdict": verdict or None,
    }


def _as_json(line: dict[str, Any]) -> None:
    emit(json.dumps(line) + "\n")


def _as_text(line: dict[str, Any]) -> None:
    what = f"{line['source']}  {line['reason']}" if "source" in line else _words(line)
    emit(f"{when(line['at'])}  {printable(line['name'])}  {printable(what)}\n")


def _words(line: dict[str, Any]) -> str:
    by = " by the guest" if line["by_guest"] else ""
    detail = f" ({line['detail']})" if line["detail"] not in ("", "unknown") else ""
    return f"event  {line['event']}{by}{detail}"
