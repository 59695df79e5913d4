"""Guests on the bus: what they can be asked for, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..control.interface import GUEST
from ..host.bus_callers import Caller
from ..host.bus_errors import CallError, Standard
from ..model.guest import GuestId
from ..model.overview import Row
from .bus_manager import Manager
from .bus_parts import Parts, Signals
from .bus_paths import element, guest_path


class Guests:
    """The objects of guests."""

    def __init__(self, parts: Parts, signals: Signals, manager: Manager) -> None:
        self._answers = parts.answers
        self._signals = signals
        self._manager = manager
        #: What subscribers know; None before there was one.
        self._known: dict[GuestId, dict[str, Any]] | None = None

    async def connections(self) -> list[str]:
        """Names of the nodes that have guests; CallError, RequestError, here and below."""
        return sorted({element(row.uri) for row in await self._rows()})

    async def of_connection(self, uri: str) -> list[str]:
        """Names of the objects below one of them."""
        return [element(row.uuid) for row in await self._rows() if row.uri == uri]

    async def properties(self, guest: GuestId) -> Mapping[str, Any]:
        """All of a guest."""
        for row in await self._rows():
            if (row.uri, row.uuid) == guest:
                return _values(row)
        text = f"no guest {guest.uuid} is known on {guest.uri}"
        raise CallError(Standard.UNKNOWN_OBJECT, text)

    async def call(
        self, caller: Caller, guest: GuestId, method: str, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        """See Exported.call."""
        if method == "Why":
            await self.properties(guest)
            answer = await self._answers.of(guest)
            return answer.value, list(answer.complaints)
        (given,) = arguments
        begin = {
            "Preserve": self._manager.preserve,
            "Shutdown": self._manager.shutdown,
            "Start": self._manager.start,
        }
        if method in begin:
            return await begin[method](caller, [guest], given)
        ((_, text),) = await self._manager.mark(caller, method, [guest], given)
        return (text,)

    async def _rows(self) -> list[Row]:
        return (await self._answers.rows()).value

    # Changes

    def forget(self) -> None:
        """Nobody is told of changes any more."""
        self._known = None

    async def say_changes(self) -> None:
        """Subscribers are told what is different from what they could read before."""
        rows = {row.id: _values(row) for row in await self._rows()}
        before, self._known = self._known, rows
        if before is None:
            return
        for guest, values in rows.items():
            if changed := GUEST.changes(before.get(guest, {}), values):
                self._signals.changed(guest_path(guest), GUEST, changed)


def _values(row: Row) -> dict[str, Any]:
    return {
        "Name": row.name,
        "UUID": row.uuid,
        "URI": row.uri,
        "State": str(row.state or ""),
        "UpSince": row.up_since or 0,
        "Wanted": str(row.wanted or ""),
        "Saved": bool(row.saved),
        "Autostart": bool(row.autostart),
        "StoppedBy": str(row.stopped_by or ""),
        "StoppedHow": str(row.stopped_how or ""),
        "StoppedAt": row.stopped_at or 0,
        "Certainty": str(row.certainty or ""),
        "Held": row.held or "",
        "NextBoot": str(row.next_boot or ""),
        "Reason": row.reason,
        "Waiting": row.waiting or row.given_up or "",
        "Shed": row.shed or "",
        "Unready": row.unready or "",
    }
