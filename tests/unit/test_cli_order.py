"""The order of guests as `check` and `plan` show it, on libvirt's test driver with three guests."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.config import reading
from guestctl.control.guest_reading import with_guests
from guestctl.control.local import open_local
from tests.unit.command import Command

NODE = """<node>{guests}<cpu><mhz>1</mhz><model>x86_64</model><active>1</active><nodes>1</nodes>
<sockets>1</sockets><cores>1</cores><threads>1</threads></cpu><memory>8192000</memory></node>"""
GUEST = """<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>
<os><type>hvm</type></os></domain>"""
CIRCLE = """
[[guest]]
match = "web"
after = ["db"]
[[guest]]
match = "db"
requires = ["nas"]
[[guest]]
match = "nas"
after = ["we*"]
"""
TEXT = (
    "guests wait for one another in a circle: db after nas after web after db;"
    " that web comes after db is left out"
)


@pytest.fixture
def uri(command: Command) -> str:
    """A connection with the guests web, db and nas."""
    uuids = {name: f"0000000{n}-0000-4000-8000-000000000000" for n, name in enumerate(NAMES, 1)}
    guests = "".join(GUEST.format(name=name, uuid=uuid) for name, uuid in uuids.items())
    node = command.home / "node.xml"
    node.write_text(NODE.format(guests=guests))
    node.chmod(0o644)
    return f"test://{node}"


NAMES = ("web", "db", "nas")


def write(command: Command, text: str) -> Path:
    """The configuration."""
    file = command.home / "guestctl.toml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def test_a_circle_is_an_error_of_plan_named_guest_by_guest(command: Command, uri: str) -> None:
    file = write(command, CIRCLE)
    result = command.run("plan", "--config", file, "-c", uri, status=1)
    assert f"guestctl: {TEXT}\n" in result.stderr
    assert "web" in result.stdout


def test_a_circle_is_a_problem_of_check_where_it_is_left_out(command: Command, uri: str) -> None:
    file = write(command, CIRCLE)
    found = reading.read(file)
    said: list[str] = []
    (problem,) = with_guests(found, open_local(found.config, uri, said.append)).problems
    assert str(problem) == f"{file}:4: {TEXT}"
    assert said == []


def test_an_order_without_circles_has_no_problem(command: Command, uri: str) -> None:
    file = write(command, CIRCLE.replace("we*", "nobody"))
    assert command.run("plan", "--config", file, "-c", uri).stderr == ""
    found = reading.read(file)
    assert with_guests(found, open_local(found.config, uri, print)).problems == ()
