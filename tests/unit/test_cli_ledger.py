"""The command line and its state folder: the run lock, what is touched, ledgers of no use."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.prepared import give, prepare

# The lock


def lock_of(command: Command) -> int:
    """The run lock's descriptor."""
    command.run_folder.mkdir(exist_ok=True)
    descriptor = os.open(command.run_folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    give(command)
    return descriptor


def test_a_second_run_is_refused_and_told_who_runs_the_first(command: Command) -> None:
    command.state.mkdir(parents=True)
    holder = {"pid": 42, "what": "guestctl shutdown --preserve", "since": 0}
    descriptor = lock_of(command)
    (command.run_folder / "run.json").write_text(json.dumps(holder))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        result = command.run("start", "-c", TEST, status=5)
    finally:
        os.close(descriptor)
    assert "another run has the lock: guestctl shutdown --preserve (process 42" in result.stderr


def test_a_guest_that_is_just_shut_down_is_not_released(command: Command) -> None:
    """It would end off, and wanted on; a run of which nothing but rows is left hinders nobody."""
    command.run("hold", "-c", TEST, "test")
    guest, boot = (TEST, TEST_UUID, "test"), Path("/proc/sys/kernel/random/boot_id").read_text()
    with contextlib.closing(sqlite3.connect(command.ledger)) as db:
        db.execute(
            'INSERT INTO run (kind, "trigger", boot, pid, begun) VALUES (?, ?, ?, 42, 1)',
            ("shutdown", "command", boot.strip()),
        )
        db.execute("INSERT INTO run_guest (run, uri, uuid, name) VALUES (1, ?, ?, ?)", guest)
        db.commit()
    descriptor = lock_of(command)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        result = command.run("release", "-c", TEST, "test", status=5)
    finally:
        os.close(descriptor)
    assert "cannot release test: a run is just shutting it down" in result.stderr
    assert command.json("list")[0]["held"]
    command.run("release", "-c", TEST, "test")


def test_reading_needs_no_lock(command: Command) -> None:
    prepare(command)
    descriptor = lock_of(command)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert command.json("list")
    finally:
        os.close(descriptor)


def _with_a_run(command: Command) -> None:
    """A ledger in which two runs have not ended."""
    prepare(command)
    db = sqlite3.connect(command.ledger)
    for number in (1, 2):
        db.execute(
            'INSERT INTO run (kind, "trigger", boot, pid, begun) VALUES (?, ?, ?, ?, ?)',
            ("preserve", "command", "boot", 42, number),
        )
        guest = (number, "u", "i", "web")
        db.execute("INSERT INTO run_guest (run, uri, uuid, name) VALUES (?, ?, ?, ?)", guest)
        db.execute(
            "INSERT INTO step (run, uri, uuid, name, step, begun) VALUES (?, ?, ?, ?, 'save', 1)",
            guest,
        )
    db.commit()
    db.close()
    give(command)


def test_only_the_newest_run_can_be_under_way(command: Command) -> None:
    _with_a_run(command)
    descriptor = lock_of(command)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        newest, at_work, older, cut_off = command.run("history").stdout.splitlines()
    finally:
        os.close(descriptor)
    assert newest.endswith("run 2: preserve (command), under way")
    assert older.endswith("run 1: preserve (command), cut off")
    assert (at_work, cut_off) == ("    web: at work: in save", "    web: cut off: in save")
    assert "under way" not in command.run("history").stdout


# What is touched


def test_looking_touches_nothing(command: Command) -> None:
    for verb in ("list", "plan", "facts", "history"):
        command.run(verb, "-c", TEST)
    assert [file.name for file in command.home.rglob("*") if "guestctl" in str(file)] == []


def test_planning_does_not_change_the_ledger(command: Command) -> None:
    prepare(command, "kept")
    before = command.ledger.read_bytes()
    assert command.json("plan")
    assert command.ledger.read_bytes() == before
    assert [reason for _, reason, _ in command.json("why", "test")] == ["kept"]


def test_a_ledger_is_for_its_owner_alone(command: Command) -> None:
    command.run("hold", "-c", TEST, "test")
    assert command.state.stat().st_mode & 0o777 == 0o700


# Ledgers that are of no use


def _damage(command: Command) -> None:
    prepare(command, *("x" * 200 for _ in range(200)))
    content = command.ledger.read_bytes()
    command.ledger.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


@pytest.mark.parametrize("verb", [["history"], ["why", "test"]])
def test_a_damaged_ledger_is_not_one_without_records(command: Command, verb: list[str]) -> None:
    _damage(command)
    result = command.run(*verb, "-c", TEST, status=1)
    assert result.stdout == ""
    assert f"cannot tell: the ledger {command.ledger} could not be read" in result.stderr


def test_what_a_damaged_ledger_does_not_tell_is_unknown(command: Command) -> None:
    _damage(command)
    (row,) = command.json("list", status=1)
    assert (row["state"], row["wanted"], row["next_boot"]) == ("running", None, None)
    (row,) = command.json("plan", "--boot", status=1)
    assert (row["next_boot"], "ledger" in row["reason"]) == (None, True)
    found = command.json("status", status=1)
    assert [found[key] for key in ("wanted", "last_run")] == [None, None]
    text = f"the ledger {command.ledger} cannot be read: what is wanted is not known"
    assert text in [problem["problem"] for problem in found["problems"]]


@pytest.mark.parametrize("verb", [["start"], ["unit", "fallback"]])
def test_the_run_that_finds_a_damaged_ledger_is_not_well(command: Command, verb: list[str]) -> None:
    _damage(command)
    assert "ledger" in command.run(*verb, "-c", TEST, status=1).stderr
    (aside,) = command.state.glob("ledger.db.damaged-*")
    assert command.run(*verb, "-c", TEST).stderr == ""
    assert f"set aside as {aside}" in command.run("status", "-c", TEST, status=1).stdout


def test_a_damaged_ledger_does_not_stop_a_shutdown(command: Command) -> None:
    _damage(command)
    result = command.run("shutdown", "--preserve", "-c", TEST, "--json", status=1)
    found = json.loads(result.stdout)
    assert found["guests"][0]["outcome"] == "saved"
    assert "nothing of it could be read" in found["unreadable"]["damaged ledger"]
    assert len(list(command.state.glob("ledger.db.damaged-*"))) == 1


def test_a_hold_that_cannot_be_kept_is_refused(command: Command) -> None:
    """Unlike a run, a hold is of no use if it is not remembered."""
    command.state.mkdir(parents=True)
    command.ledger.mkdir()
    give(command)
    assert "cannot write to the ledger" in command.run("hold", "-c", TEST, "test", status=1).stderr


def test_without_a_place_for_its_state_a_run_goes_on(command: Command) -> None:
    """Not well, though: nothing is remembered of what is wanted."""
    result = command.run(
        "shutdown", "--preserve", "-c", TEST, env={"XDG_STATE_HOME": "/proc/nowhere"}, status=1
    )
    assert "test: saved" in result.stdout
    assert "going on without" in result.stderr


def test_a_run_without_a_ledger_is_not_well_though_its_guests_are_saved(command: Command) -> None:
    command.state.mkdir(parents=True)
    command.ledger.mkdir()
    give(command)
    found = command.json("shutdown", "--preserve", status=1)
    assert found["ok"] is False
    assert list(found["unreadable"]) == ["ledger"]
    assert [(g["name"], g["outcome"]) for g in found["guests"]] == [("test", "saved")]


def test_a_byte_that_is_no_utf8_in_what_was_typed_costs_no_memory(command: Command) -> None:
    """The ledger took none of the run: its guest was saved, and not known to be owed a start."""
    said = ("--reason", "gr\udcfcn")
    result = command.run("shutdown", "--preserve", "-c", TEST, *said)
    assert "cannot write to the ledger" not in result.stderr
    (run,) = command.json("history")
    assert run["guests"][0]["outcome"] == "saved"
    assert run["command"].endswith(r"--reason 'gr\udcfcn'")
    command.run("hold", "-c", TEST, "test", *said)
    assert r"gr\udcfcn" in command.run("why", "-c", TEST, "test").stdout
