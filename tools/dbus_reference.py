"""The tables of docs/reference/dbus.md, from those of the interface and the events of runs.

python -m tools.dbus_reference    writes them into the page, below its mark
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from guestctl.control.interface import INTERFACES
from guestctl.host.bus_interface import Argument, Interface

from . import event_reference

PAGE = Path("docs/reference/dbus.md")
MARK = "<!-- written by tools/dbus_reference.py -->\n"


def page(before: str) -> str:
    """The whole page: what stands above the mark stays."""
    head, mark, _ = before.partition(MARK)
    assert mark, f"{PAGE} has no mark"
    lines = [line for interface in INTERFACES for line in _interface(interface)]
    return head + MARK + "".join(f"{line}\n" for line in (*lines, *event_reference.tables()))


def _interface(interface: Interface) -> Iterator[str]:
    yield from ("", f"## {interface.name}", "", interface.doc)
    yield from ("", "| method | takes | returns | needs | |", "|---|---|---|---|---|")
    for method in interface.methods:
        takes, returns = _arguments(method.takes), _arguments(method.returns)
        yield f"| `{method.name}` | {takes} | {returns} | {method.needs} | {method.doc} |"
    yield from ("", "| property | | |", "|---|---|---|")
    for row in interface.properties:
        yield f"| `{row.name}` | `{row.signature}` | {row.doc} |"
    if interface.signals:
        yield from ("", "| signal | carries | |", "|---|---|---|")
    for signal in interface.signals:
        yield f"| `{signal.name}` | {_arguments(signal.arguments)} | {signal.doc} |"


def _arguments(arguments: Iterable[Argument]) -> str:
    return ", ".join(f"{argument.name} `{argument.signature}`" for argument in arguments)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
