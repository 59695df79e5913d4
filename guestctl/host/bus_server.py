"""Objects under a name on the bus, for programs to call: tables say what there is.

The connection is its own and knows no file descriptors: nothing that callers do reaches what else
is done over the bus, and a descriptor that is sent with a call is refused by the bus.  A call is
refused from its header where it can be, and its body is not read then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .bus_callers import Caller
from .bus_interface import Interface
from .bus_objects import Exported

#: What went wrong, once for each kind; the exception where it is a fault of ours.
Trouble = Callable[[str, BaseException | None], None]


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
        """address: of another bus than the system's.  on_named: told when the name is ours, and
        when it no longer is: then there are no subscribers any more.
        """
        raise NotImplementedError

    async def run(self) -> None:
        """Be there until this is cancelled, whatever the bus does."""
        raise NotImplementedError

    @property
    def is_named(self) -> bool:
        """Whether the name is ours."""
        raise NotImplementedError

    # -- signals ---------------------------------------------------------------------------------

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody would be told of a signal."""
        raise NotImplementedError

    async def subscribe(self, caller: Caller) -> None:
        """Have this caller told of signals until it leaves; CallError where too many are.

        To be used from `Exported.call` for that caller, by a method that reads.
        """
        raise NotImplementedError

    def unsubscribe(self, caller: Caller) -> None:
        """No longer."""
        raise NotImplementedError

    def emit(self, path: str, interface: Interface, signal: str, *arguments: Any) -> None:
        """Tell the subscribers; never an error.

        A subscriber may miss some, where the bus takes less than there is to tell: what must be
        complete needs a number for each signal, and a method that has those that are missing.
        """
        raise NotImplementedError

    def changed(self, path: str, interface: Interface, values: Mapping[str, Any]) -> None:
        """Tell the subscribers that properties have these plain values now, as `emit` does."""
        raise NotImplementedError
