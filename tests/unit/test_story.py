"""What is written down of a scenario: its story, its reason, and the page about scenarios."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from tests.sim.behaviour import Behaviour, GuestSpec
from tests.sim.events import GUEST_HAPPENINGS, HOST_HAPPENINGS
from tests.sim.must import CHECKS, untold
from tests.sim.rendering import chapter_lines, story_text
from tests.sim.scenario import ENDINGS, Script, read_script, run_script
from tests.sim.text import write_script


def _script(folder: Path, events: str, facts: str = '[[guest]]\nname = "web"\n') -> Script:
    texts = {"events.txt": events, "facts.toml": facts, "config.toml": ""}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return read_script(folder)


def _lines(script: Script) -> list[tuple[float, str, str, bool]]:
    lines = (line for chapter in run_script(script).chapters for line in chapter_lines(chapter))
    return [(line.time, line.kind, line.text, line.in_trail) for line in lines]


PLAN = "save (at most 10min), then shutdown (at most 90s), then poweroff (at most 1min)"
VERDICT = "saved by an operator (observed): a run of guestctl (preserve) took it down"


def test_what_the_trail_says_too_is_told_once(tmp_path: Path) -> None:
    assert _lines(_script(tmp_path, "1s preserve")) == [
        (1, "command", "preserve", False),
        (1, "run", "preserve (command)", False),
        (1, "plan", PLAN, True),
        (6, "step", "save done, 5s", True),
        (6, "preserve", VERDICT, True),
        (6, "outcome", "saved, 5s", False),
        (6, "end", "ok, 5s", False),
    ]


def test_what_the_trail_does_not_say_is_not_marked(tmp_path: Path) -> None:
    lines = _lines(_script(tmp_path, "0s the ledger's disk is full\n1s host stops"))
    told = [(kind, text) for _, kind, text, _ in lines]
    assert ("trouble", "cannot write to the ledger: database or disk is full") in told
    assert ("step", "save done, 5s") in told
    assert not any(in_trail for *_, in_trail in lines)


def test_what_became_of_a_guest_unseen_is_told(tmp_path: Path) -> None:
    events = "0s preserve\n2s  guestctl is killed\n9s reboot\n"
    lines = _lines(_script(tmp_path, events))
    assert lines[-4:] == [
        (2, "event", "guestctl is killed", False),
        (2, "end", "killed", False),
        (5, "truth", "saved by guestctl", False),
        (9, "command", "reboot: the host is up again", False),
    ]


def test_what_somebody_does_is_told_once(tmp_path: Path) -> None:
    lines = _lines(_script(tmp_path, "0s start\n5s  web powers itself off\n9s reboot\n"))
    assert [line for line in lines if line[0] == 5] == [
        (5, "event", "web powers itself off", False)
    ]


def test_a_wrong_clock_changes_no_order(tmp_path: Path) -> None:
    story = run_script(_script(tmp_path, "0s the clock jumps by -2d\n1s preserve\n"))
    lines = chapter_lines(story.chapters[1])
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert {line.clock_error for line in lines if line.in_trail} == {-2 * 86400.0}
    assert "[clock -2d]" in story_text(story)


def test_a_story_begins_with_its_reason_and_ends_with_how_things_stand(tmp_path: Path) -> None:
    text = story_text(run_script(_script(tmp_path, "# Why it is told.\n500ms preserve\n")))
    assert text.startswith("# Why it is told.\n\n0:00.50   command   preserve\n")
    assert text.endswith(
        "\nat the end, 0:05.50:\n"
        "  web  shut off (saved, has a save)  wanted on, stopped by operator  next boot: resume\n"
        "\ncalls, at most 1 saves at a time:\n"
        "  web  1 save\n"
    )


def test_a_reason_is_written_as_it_is_read(tmp_path: Path) -> None:
    script = _script(tmp_path, "# Why it is told.\n0s preserve\n")
    write_script(script, tmp_path / "again")
    assert read_script(tmp_path / "again") == script


def test_what_a_run_did_not_tell_of_its_result_breaks_a_promise(tmp_path: Path) -> None:
    story = run_script(_script(tmp_path, "0s preserve\n"))
    assert list(untold(story)) == []
    untold_of = list(untold(replace(story, chapters=[])))
    assert [text.split("(")[1] for text in untold_of] == ["'web', GuestResult", "'web', StepResult"]


# -- the page about them -------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs/dev/scenarios.md").read_text()


def _block(name: str) -> list[str]:
    """The lines of a fenced block of the page."""
    return PAGE.split(f"```{name}\n")[1].split("```")[0].splitlines()


def test_the_page_has_every_word_of_facts() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    keys = {key for row in rows for key in re.findall("`([^`]+)`", row)}
    words = {row.name.replace("_", "-") for kind in (GuestSpec, Behaviour) for row in fields(kind)}
    assert words - {"behaviour"} <= keys


def test_the_page_has_every_happening_and_no_other() -> None:
    deeds = [deed for deed in _block("happenings") if deed not in ENDINGS]
    of_guests = {deed.removeprefix("web ") for deed in deeds} & GUEST_HAPPENINGS.keys()
    of_host = [deed for deed in deeds if deed.removeprefix("web ") not in of_guests]
    assert of_guests == GUEST_HAPPENINGS.keys()
    assert [deed for deed in of_host if not _fits_one(deed, HOST_HAPPENINGS)] == []
    assert [p for p in HOST_HAPPENINGS if not any(re.fullmatch(p, deed) for deed in of_host)] == []
    assert ENDINGS.keys() <= set(_block("happenings"))


def test_the_page_has_every_condition_and_no_other() -> None:
    lines = _block("must")
    assert [line for line in lines if not _fits_one(line, CHECKS)] == []
    assert [p for p in CHECKS if not any(re.fullmatch(p, line) for line in lines)] == []


def _fits_one(line: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, line) for pattern in patterns)
