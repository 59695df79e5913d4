"""What is on the bus: who has the objects, and what of them a call means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .bus_callers import Caller
from .bus_errors import CallError, Standard
from .bus_interface import PEER, STANDARD, Interface, Method, signature_of
from .bus_messages import Header

#: Bytes of the body of a call that is read.
LONGEST_CALL = 64 << 10


class Exported(Protocol):
    """Who has the objects.

    `interfaces` is asked from a message's header and must be quick.  Whatever else is raised than
    CallError is told as trouble, and the caller gets an error without words.
    """

    def interfaces(self, path: str) -> Sequence[Interface] | None:
        """Of the object there; none of a mere node on the way to objects; None: nothing is there.

        The standard ones are not named.  `/` is such a node: `busctl tree` begins there.
        """
        ...

    async def children(self, caller: Caller, path: str) -> Sequence[str]:
        """Names of what is right below, as far as that caller may know; CallError: none of it."""
        ...

    def needs(self, path: str, interface: Interface, method: Method) -> str:
        """What calling that takes; `method.needs`, unless it depends on the object.  Quick too."""
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


class Target(NamedTuple):
    """What is called."""

    interface: Interface
    method: Method

    @property
    def is_standard(self) -> bool:
        """Whether it is of an interface that every object has."""
        return self.interface in STANDARD


def find(exported: Exported, call: Header) -> Target:
    """What a call is for; CallError where its header says that it is for nothing here."""
    candidates = _candidates(exported, call)
    for interface in candidates:
        method = interface.methods_by_name.get(call.member)
        if method is not None:
            _check_form(method, call)
            return Target(interface, method)
    where = call.interface or call.path
    raise CallError(Standard.UNKNOWN_METHOD, f"{where} has no method {call.member}")


def _candidates(exported: Exported, call: Header) -> list[Interface]:
    """The interfaces that it may be for; without one named it is for whichever has the method."""
    interfaces = exported.interfaces(call.path)
    if interfaces is None and call.interface != PEER.name:  # which is of the program
        raise CallError(Standard.UNKNOWN_OBJECT, f"nothing is at {call.path}")
    all_of_them = (*(interfaces or ()), *STANDARD)
    found = [each for each in all_of_them if call.interface in ("", each.name)]
    if not found:
        text = f"{call.path} has no interface {call.interface}"
        raise CallError(Standard.UNKNOWN_INTERFACE, text)
    return found


def _check_form(method: Method, call: Header) -> None:
    expected = signature_of(method.takes)
    if call.signature != expected:
        text = f"{method.name} takes {expected!r}, and not {call.signature!r}"
        raise CallError(Standard.INVALID_ARGS, text)
    if call.size > LONGEST_CALL:
        text = f"the arguments have {call.size} bytes, where {LONGEST_CALL} are taken"
        raise CallError(Standard.LIMITS_EXCEEDED, text)
