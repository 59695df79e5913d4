"""Completion in shells: made from the grammar, and tried in bash."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.completions import FILES, FOLDER, verbs

#: In the place of guestctl: two guests, one with a blank in its name.
GUESTS = "#!/bin/sh\nprintf 'web-1\\nmy guest\\n'\n"


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_are_made_from_the_grammar(name: str) -> None:
    """If not: make sample."""
    assert (FOLDER / name).read_text("utf-8") == FILES[name]()


def offered(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word."""
    program = folder / "guestctl"
    program.write_text(GUESTS)
    program.chmod(0o755)
    script = (
        f'source {FOLDER}/guestctl; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
        " compopt() { :; }; _guestctl; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    argv = ["bash", "-c", script, "bash", "guestctl", *words]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=env)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_verbs_options_and_guests(tmp_path: Path) -> None:
    assert offered(tmp_path, "sh") == ["shutdown"]
    assert set(verbs()) <= set(offered(tmp_path, ""))
    assert offered(tmp_path, "shutdown", "--pre") == ["--preserve"]
    assert offered(tmp_path, "hold", "") == ["web-1", "my\\ guest"]
    assert offered(tmp_path, "why", "w") == ["web-1"]
    assert offered(tmp_path, "facts", "w") == []


def test_values_of_options(tmp_path: Path) -> None:
    assert offered(tmp_path, "list", "--state", "shut") == ["shut\\ off"]
    assert offered(tmp_path, "list", "-o", "") == ["wide", "name"]
    assert offered(tmp_path, "shutdown", "--within", "") == []
    assert offered(tmp_path, "policy", "web-1", "--set", "save") == ["save=", "save-timeout="]
    assert offered(tmp_path, "policy", "web-1", "--unset", "al") == ["all"]
    assert offered(tmp_path, "-c", "qemu", ":", "///system", "st") == ["start", "status"]


def test_zsh_can_read_it() -> None:
    subprocess.run(["zsh", "-n", str(FOLDER / "_guestctl")], check=True)
