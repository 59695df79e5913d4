"""Signals of the bus: who is to have which, and who may send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .bus_messages import DRIVER, Header, Message
from .bus_values import unwrap

#: Bytes of a signal's body; those that are heard have some hundred.
LONGEST_SIGNAL = 1 << 16


class Rule(NamedTuple):
    """Which signals to hear; `sender` is a well-known name, empty fields match anything.

    signature: of the body; a signal with another one is not handed over.
    """

    sender: str
    interface: str
    member: str
    signature: str
    path: str = ""
    arg0: str = ""

    def __str__(self) -> str:
        """As AddMatch takes it."""
        fields = {"type": "signal", **self._asdict()}
        del fields["signature"]
        return ",".join(f"{key}='{value}'" for key, value in fields.items() if value)


Handler = Callable[[list[Any]], None]


class Signals:
    """What is subscribed to, and who owns the names that matter.

    Anybody may send any signal to us alone, past all match rules: dbus-daemon's default policy
    allows it.  So only what the owner of the sender's name sends is heard.
    """

    def __init__(self) -> None:
        self._subscriptions: list[tuple[Rule, Handler]] = []
        self._owners: dict[str, str] = {}

    def subscribe(self, rule: Rule, handler: Handler) -> None:
        """Have these signals' bodies handed over, variants unwrapped."""
        self._subscriptions.append((rule, handler))

    def found_owner(self, name: str, owner: str) -> None:
        """Who owns a name; a change that was heard while the answer was on its way is newer."""
        self._owners.setdefault(name, owner)

    def owner(self, name: str) -> str | None:
        """The unique name behind a name; empty: nobody; None: its changes are not followed."""
        return self._owners.get(name)

    def wants(self, header: Header) -> bool:
        """Whether a signal is to be read."""
        if header.size > LONGEST_SIGNAL:
            return False
        heard = any(self._fits(rule, header) for rule, _ in self._subscriptions)
        return heard or _is_change_of_owner(header)

    def dispatch(self, message: Message) -> None:
        """Hand a signal to whom it concerns."""
        if _is_change_of_owner(message.header):
            name, _, owner = message.body
            self._owners[name] = owner
        for rule, handler in list(self._subscriptions):
            if self._fits(rule, message.header) and rule.arg0 in ("", *message.body[:1]):
                handler(unwrap(message.body))

    def _fits(self, rule: Rule, header: Header) -> bool:
        sender = DRIVER if rule.sender == DRIVER else self._owners.get(rule.sender)
        return (
            bool(sender)
            and header.sender == sender
            and (header.interface, header.member) == (rule.interface, rule.member)
            and rule.signature == header.signature
            and rule.path in ("", header.path)
        )


def _is_change_of_owner(header: Header) -> bool:
    what = (header.sender, header.interface, header.member, header.signature)
    return what == (DRIVER, DRIVER, "NameOwnerChanged", "sss")
