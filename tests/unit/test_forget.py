"""`guestctl forget`, and what is said of guests that libvirt does not list."""

from __future__ import annotations

import sqlite3

import pytest

from tests.unit.command import TEST, Command
from tests.unit.prepared import prepare

LOST = "00000000-1111-4000-8000-000000000000"


@pytest.fixture
def lost(command: Command) -> Command:
    """A guest is wanted on that libvirt does not list."""
    prepare(command)
    with sqlite3.connect(command.ledger) as db:
        db.execute(
            "INSERT INTO guest (uri, uuid, name, wanted) VALUES (?, ?, ?, ?)",
            (TEST, LOST, "lost", "on"),
        )
    db.close()
    return command


def row(command: Command) -> dict[str, object] | None:
    """What `list` says of it."""
    rows = command.json("list", "-c", TEST)
    return next((row for row in rows if row["uuid"] == LOST), None)


def test_it_is_named_until_it_is_forgotten(lost: Command) -> None:
    found = row(lost)
    assert found
    assert (found["state"], found["wanted"], found["next_boot"]) == ("unknown", "on", None)
    assert "libvirt does not list it" in str(found["reason"])
    said = lost.run("forget", "-c", TEST, "lost", "--reason", "sold").stdout
    assert said == "lost: forgotten: nothing is wanted of it any more\n"
    assert row(lost) is None
    assert "sold" in lost.run("why", "-c", TEST, LOST).stdout


def test_it_is_among_the_problems_with_what_to_type(lost: Command) -> None:
    found = lost.run("list", "-c", TEST, "--problems", status=1).stdout
    assert "guestctl forget lost" in found


def test_a_guest_that_is_listed_is_not_forgotten(lost: Command) -> None:
    lost.run("hold", "-c", TEST, "test")
    said = lost.run("forget", "-c", TEST, "test", status=2).stderr
    assert "cannot forget test: libvirt lists it" in said


def test_a_guest_that_was_never_known_is_named(lost: Command) -> None:
    assert "nobody" in lost.run("forget", "-c", TEST, "nobody", status=2).stderr
