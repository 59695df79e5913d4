"""The page of the D-Bus interface says what the tables say."""

from __future__ import annotations

from tests.package import PROJECT
from tools import dbus_reference


def test_the_page_is_as_its_tool_writes_it() -> None:
    text = (PROJECT / dbus_reference.PAGE).read_text()
    assert dbus_reference.page(text) == text
