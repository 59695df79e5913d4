"""The manual pages: they name all there is, and man can show them."""

from __future__ import annotations

import argparse
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from guestctl.cli import listing
from guestctl.cli.arguments import _UNITS, _parser
from guestctl.config.settings import SETTINGS
from guestctl.model.overview import NextBoot
from guestctl.model.stop import Certainty, How, StoppedBy
from tools.manual import _entry, manual

PAGES = Path(__file__).parent.parent.parent / "docs/man"


def printed(page: str) -> str:
    """The page's text as roff prints it, all in one line."""
    argv = ["groff", "-man", "-Tascii", "-P-cbou", "-rHY=0", str(PAGES / page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


def verbs() -> dict[str, argparse.ArgumentParser]:
    """The verbs' own parsers; not those that only units use, of which --help tells nothing."""
    (verbs,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    shown = {action.dest for action in verbs._choices_actions}
    return {name: parser for name, parser in verbs.choices.items() if name in shown}


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.iterdir()))
def test_roff_has_no_complaint(page: str) -> None:
    argv = ["groff", "-man", "-Tutf8", "-ww", "-z", str(PAGES / page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def options() -> set[str]:
    return {
        option
        for parser in (_parser(), *verbs().values())
        for action in parser._actions
        for option in action.option_strings
    }


def test_every_verb_and_option_stands_in_the_page() -> None:
    text = printed("guestctl.1")
    assert {name for name in verbs() if not re.search(rf"\b{name}\b", text)} == set()
    assert {name for name in options() if not re.search(rf"(?<![^\s\[]){name}\b", text)} == set()


def test_the_page_has_no_option_that_there_is_not() -> None:
    assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", printed("guestctl.1"))) <= options()


def test_what_units_call_stands_in_the_page_of_the_service() -> None:
    text = printed("guestctl-daemon.8")
    assert {name for name in _UNITS if f"guestctl unit {name}" not in text} == set()


def test_the_page_of_the_configuration_is_made_from_the_settings() -> None:
    assert (PAGES / "guestctl.toml.5").read_text() == manual()


def test_old_names_can_be_read_in_it() -> None:
    row = replace(SETTINGS[0], old_names=("of-old", "older"))
    assert _entry(row) == _entry(SETTINGS[0]) + "Once called of\\-old, older.\n"


def test_every_setting_can_be_read_in_it() -> None:
    text = printed("guestctl.toml.5")
    for row in SETTINGS:
        assert f"{row.key} = {row.kind.show(row.default)}" in text
        assert " ".join(row.meaning.split()) in text


def test_the_page_explains_what_list_shows() -> None:
    page = printed("guestctl.1").partition("WHAT IS SHOWN OF A GUEST")[2]
    words = {*listing._USUAL, *listing._WIDE, *Certainty, *NextBoot, *StoppedBy, *How} - {"NAME"}
    assert {word for word in words if word not in page} == set()
