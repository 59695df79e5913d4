"""What is on the bus: who has the objects, and what of them a call means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .bus_callers import Caller
from .bus_interface import Interface, Method


class Exported(Protocol):
    """Who has the objects.

    `interfaces` is asked from a message's header and must be quick.  Whatever else is raised than
    CallError is told as trouble, and the caller gets an error without words.
    """

    def interfaces(self, path: str) -> Sequence[Interface] | None:
        """Of the object there; none of a mere node on the way to objects; None: nothing is there.

        The standard ones are not named.
        """
        ...

    async def children(self, caller: Caller, path: str) -> Sequence[str]:
        """Names of what is right below, as far as that caller may know; CallError: none of it."""
        ...

    async def allow(self, caller: Caller, needs: str) -> None:
        """Return where the caller may do what needs that; CallError, such as ACCESS_DENIED.

        It may take as long as a user takes to type a password, and is cancelled when the connection
        to the bus ends.  Never asked of what needs nothing.
        """
        ...

    async def call(
        self,
        caller: Caller,
        path: str,
        interface: Interface,
        method: Method,
        arguments: Sequence[Any],
    ) -> Sequence[Any]:
        """What the method returns, one value for each row of `method.returns`; CallError.

        arguments: of the types in the method's table, and nothing else about them has been checked;
        a variant is a `Variant`.  So is one in what is returned; a structure may be a list or a
        tuple.

        A method that needs no more than reading the properties of its interface does is cancelled
        when the connection to the bus ends; every other goes on, and nobody is answered.
        """
        ...

    async def properties(self, path: str, interface: Interface) -> Mapping[str, Any]:
        """The plain value of each property in the interface's table, by name; CallError."""
        ...
