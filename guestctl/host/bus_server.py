"""Objects under a name on the bus, for programs to call: tables say what there is.

The connection is its own and knows no file descriptors: nothing that callers do reaches what else
is done over the bus, and a descriptor that is sent with a call is refused by the bus.  A call is
refused from its header where it can be, and its body is not read then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from .bus import system_address
from .bus_callers import Caller
from .bus_calls import BusError
from .bus_errors import CallError, Standard
from .bus_interface import PROPERTIES, Interface
from .bus_objects import Exported
from .bus_session import Session
from .bus_standard import variants
from .bus_trouble import OnceInAWhile, Trouble

#: Seconds before the bus is tried again: at first, and at most.  After one that lasted for long it
#: is the first again.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class BusServer:
    """A name on the bus, with objects."""

    def __init__(
        self,
        name: str,
        exported: Exported,
        trouble: Trouble,
        *,
        on_named: Callable[[bool], None] = lambda _: None,
        address: str = "",
    ) -> None:
        """trouble: told what went wrong, once an hour for each kind.  on_named: told when the name
        is ours, and when it no longer is: then there are no subscribers any more.  address: of
        another bus than the system's.
        """
        self._name = name
        self._exported = exported
        self._trouble = OnceInAWhile(trouble)
        self._on_named = on_named
        self._address = address
        self._session: Session | None = None
        self._is_named = False
        #: Whether the name may still be held by a session of ours.
        self._replaces = False

    async def run(self) -> None:
        """Be there until this is cancelled, whatever the bus does."""
        wait = FIRST_WAIT
        while True:
            began = time.monotonic()
            why = await self._serve()
            if time.monotonic() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
                self._trouble.all_is_well()
            self._trouble.tell(why, f"{self._name}: {why}")
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    @property
    def is_named(self) -> bool:
        """Whether the name is ours."""
        return self._is_named

    async def _serve(self) -> str:
        """Why that came to an end."""
        session = self._session = Session(self._exported, self._trouble)
        try:
            address = self._address or system_address()
            await session.open(address, self._name, replaces=self._replaces)
            self._replaces = False
            self._named(True)
            return await session.wait_ended()
        except BusError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is: the next try may do
            why = f"cannot be on the bus: {error!r:.500}"
            self._trouble.tell(why, f"{self._name}: {why}", error)
            return why
        finally:
            self._session = None
            session.close()
            self._replaces |= session.was_stuck
            self._named(False)

    def _named(self, is_named: bool) -> None:
        if is_named != self._is_named:
            self._is_named = is_named
            self._on_named(is_named)

    # -- signals ---------------------------------------------------------------------------------

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody would be told of a signal."""
        return self._session is not None and bool(self._session.subscribers)

    async def subscribe(self, caller: Caller) -> None:
        """Have this caller told of signals until it leaves; CallError where too many are.

        To be used from `Exported.call` for that caller, by a method that reads.
        """
        if self._session is None:
            raise CallError(Standard.FAILED, "the connection to the bus has ended")
        await self._session.subscribers.add(caller)

    def unsubscribe(self, caller: Caller) -> None:
        """No longer."""
        if self._session is not None:
            self._session.subscribers.remove(caller.name)

    def emit(self, path: str, interface: Interface, signal: str, *arguments: Any) -> None:
        """Tell the subscribers; never an error.

        A subscriber may miss some, where the bus takes less than there is to tell: what must be
        complete needs a number for each signal, and a method that has those that are missing.
        """
        if self._session is None or not self._session.subscribers:
            return
        try:
            row = interface.signals_by_name[signal]
            self._session.emit(path, interface, row, arguments)
        except Exception as error:  # noqa: BLE001 - a run does not end over what it tells
            what = f"{interface.name}.{signal}"
            self._trouble.tell(f"{what} {error!r}", f"{what} was not told: {error!r:.500}", error)

    def changed(self, path: str, interface: Interface, values: Mapping[str, Any]) -> None:
        """Tell the subscribers that properties have these plain values now, as `emit` does."""
        if not self.has_subscribers:
            return
        try:
            rows = [interface.properties_by_name[name] for name in values]
            found = variants(rows, values)
        except Exception as error:  # noqa: BLE001 - as above
            what = f"changes of {interface.name}"
            self._trouble.tell(f"{what} {error!r}", f"{what} were not told: {error!r:.500}", error)
        else:
            self.emit(path, PROPERTIES, "PropertiesChanged", interface.name, found, [])
