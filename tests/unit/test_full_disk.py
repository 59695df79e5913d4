"""A file system without a free byte under the state folder: who asks is refused, and told why."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.unit.command import TEST, Command
from tests.unit.prepared import give, prepare

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")


@pytest.fixture
def full(command: Command) -> Iterator[Command]:
    """The command; its ledger is there, and nothing more can be written."""
    command.state.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "guestctl-test", command.state], check=True
    )
    try:
        prepare(command)
        give(command)
        filler = command.state / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        yield command
    finally:
        subprocess.run(["umount", "--lazy", command.state], check=True)


@pytest.mark.parametrize("verb", [["--preserve"], ["test"]])
def test_nobody_is_taken_down(full: Command, verb: list[str]) -> None:
    result = full.run("shutdown", *verb, "-c", TEST, status=1)
    assert f"cannot write to the ledger {full.ledger}" in result.stderr
    said = result.stdout + result.stderr
    assert "test: failed" in said
    assert "make room where that is, or say --without-ledger" in said


def test_whoever_insists_has_them_taken_down(full: Command) -> None:
    found = full.json("shutdown", "--preserve", "--without-ledger")
    assert [(one["name"], one["outcome"]) for one in found["guests"]] == [("test", "saved")]
