"""`list --problems`: guests with which something is wrong, and what to type."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from ..model.finding import Finding
from ..model.overview import Row
from .exits import Exit, exit_of
from .options import client_of, complain_of_blindness, say_unused_of_host
from .text import emit, print_json, printable


def list_problems(arguments: Namespace) -> int:
    """1 where there are any."""
    client = client_of(arguments)
    complain_of_blindness(client)
    say_unused_of_host(client.config, arguments)
    found = client.problems()
    if arguments.json:
        print_json([_json(row, found.of(row)) for row in found.rows])
    else:
        for row in found.rows:
            emit("".join(_text(row, finding) for finding in found.of(row)))
    bad = Exit.NOT_ALL_WELL if found.rows else Exit.OK
    return exit_of(found.failure) or bad


def _json(row: Row, findings: list[Finding]) -> dict[str, Any]:
    told = [{"problem": f.text, "command": f.command or None} for f in findings]
    return {**asdict(row), "problems": told}


def _text(row: Row, finding: Finding) -> str:
    command = f"    -> {printable(finding.command)}\n" if finding.command else ""
    return f"{printable(row.name)}: {row.state}, {printable(finding.text)}\n{command}"
