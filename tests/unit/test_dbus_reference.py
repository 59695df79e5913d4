"""The page of the D-Bus interface says what the tables say."""

from __future__ import annotations

from guestctl.control.interface import OPTIONS
from guestctl.control.requests import Failure
from guestctl.control.service_errors import ENDING, error_name
from guestctl.host import bus_callers, bus_connection, bus_objects, bus_subscribers, bus_unread
from guestctl.host.bus_errors import Standard
from tests.package import PROJECT
from tools import dbus_reference

EXAMPLE = PROJECT / "examples/preserve_and_follow.py"


def test_the_page_is_as_its_tool_writes_it() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    assert dbus_reference.page(text) == text


def test_the_program_on_it_is_the_example() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    assert f"```python\n{EXAMPLE.read_text()}```" in text


def test_every_error_and_limit_stands_in_it() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    last = {name.rpartition(".")[2] for name in (*Standard, *map(error_name, Failure), ENDING)}
    assert [name for name in last if f".{name}`" not in text] == []
    row = (
        "{0.OF_A_USER} of a user but root, {0.OF_USERS} of all users but root, {0.IN_ALL} in all |"
    )
    assert f"{bus_callers.OF_A_CONNECTION} of a connection, {row.format(bus_callers)}" in text
    assert f"| {row.format(bus_subscribers)}" in text
    unread = [
        size // bus_unread.MIB
        for size in (bus_unread.OF_ONE, bus_unread.OF_A_USER, bus_unread.OF_USERS)
    ]
    row = "{} MiB of a connection, {} MiB of a user but root, {} MiB of all users but root |"
    assert f"| answers that are not read | {row.format(*unread)}" in text
    assert f"a subscriber has {bus_unread.FOR_SIGNALS // bus_unread.MIB} MiB unread" in text
    kib, mib = bus_objects.LONGEST_CALL >> 10, bus_connection.LONGEST_MESSAGE >> 20
    assert f"| body of a call, of an answer | {kib} KiB, {mib} MiB |" in text


def test_every_option_stands_in_it() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    options = {(key, kind) for table in OPTIONS.values() for key, kind in table.items()}
    assert [(key, kind) for key, kind in options if f"| `{key}` | `{kind}` |" not in text] == []
