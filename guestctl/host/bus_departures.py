"""Being told by the bus that a connection has left it."""

from __future__ import annotations

import contextlib

from .bus_driver import Driver
from .bus_messages import DRIVER
from .bus_signals import Rule
from .bus_writer import QueueFull


def rule_of(name: str) -> str:
    """Of signals about nobody else: a stranger who comes or goes wakes nobody up."""
    return str(Rule(DRIVER, DRIVER, "NameOwnerChanged", "sss", arg0=name))


def listen(driver: Driver, name: str) -> None:
    """Have the bus tell of it, where it can.

    Whoever had left by then is told of never: the bus has to be asked after this, and says so.
    """
    _tell(driver, "AddMatch", name)


def ignore(driver: Driver, name: str) -> None:
    """No longer."""
    _tell(driver, "RemoveMatch", name)


def _tell(driver: Driver, member: str, name: str) -> None:
    with contextlib.suppress(QueueFull):
        driver.tell(member, "s", (rule_of(name),))
