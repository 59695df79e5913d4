"""Completion in shells: made from the grammar, and tried in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.completions import FILES, FOLDER
from tools.offers import names, verbs

from .completing import SHELLS, offered

OFFERED = {
    "guestctl sh": {"shed", "shutdown"},
    "guestctl shutdown --pre": {"--preserve"},
    "guestctl hold ": {"web-1", "my guest"},
    "guestctl hold start ": {"web-1", "my guest"},
    "guestctl why w": {"web-1"},
    "guestctl release ": {"my guest"},
    "guestctl facts w": set[str](),
    "guestctl check --guest w": {"web-1"},
    "guestctl shutdown --profile ": {"ups", "day", "night"},
    "guestctl shutdown --within ": set[str](),
    "guestctl list --state shut": {"shut off"},
    "guestctl list -o ": {"wide", "name"},
    "guestctl policy web-1 --set save": {"save=", "save-timeout="},
    "guestctl policy web-1 --unset al": {"all"},
    "guestctl -c qemu:///system sta": {"start", "status"},
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_are_made_from_the_grammar(name: str) -> None:
    """If not: make sample."""
    assert (FOLDER / name).read_text("utf-8") == FILES[name]()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_offered(shell: str, tmp_path: Path) -> None:
    assert offered(shell, tmp_path, list(OFFERED)) == OFFERED


@pytest.mark.thorough
@pytest.mark.parametrize("shell", SHELLS)
def test_every_verb_and_option_is_offered(shell: str, tmp_path: Path) -> None:
    lines = {"guestctl ": set(verbs())}
    for verb, parser in verbs().items():
        lines[f"guestctl {verb} --"] = {name for name in names(parser) if name[:2] == "--"}
    found = offered(shell, tmp_path, list(lines))
    assert all(lines[line] <= found[line] for line in lines)
