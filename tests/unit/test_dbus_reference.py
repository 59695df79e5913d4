"""The page of the D-Bus interface says what the tables say."""

from __future__ import annotations

from tests.package import PROJECT
from tools import dbus_reference

EXAMPLE = PROJECT / "examples/preserve_and_follow.py"


def test_the_page_is_as_its_tool_writes_it() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    assert dbus_reference.page(text) == text


def test_the_program_on_it_is_the_example() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    assert f"```python\n{EXAMPLE.read_text()}```" in text
