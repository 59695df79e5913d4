"""Running commands, with errors that say what the command said."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Argv = Sequence[str | Path]
Result = subprocess.CompletedProcess[str]


class CommandError(RuntimeError):
    """A command ended with another status than 0."""

    def __init__(self, result: Result) -> None:
        """Hold the result; the message is the command with all it printed."""
        self.result = result
        argv = " ".join(map(str, result.args))
        said = f"{result.stdout or ''}{result.stderr or ''}".strip()
        super().__init__(f"{argv}: status {result.returncode}: {said}")


def run(argv: Argv, *, check: bool = True, timeout: float = 60, **options: Any) -> Result:
    """Run a command and collect what it prints; CommandError if it fails and check is set."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if "stdout" not in options and "stderr" not in options:
        options["capture_output"] = True
    result = subprocess.run(argv, check=False, text=True, timeout=timeout, **options)
    if check and result.returncode:
        raise CommandError(result)
    return result
