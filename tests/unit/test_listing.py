"""`list` on a terminal: one line a guest, and below the table what needs more words."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from typing import Any

import pytest

from guestctl.cli.listing import _stopped_shortly, below, shed
from guestctl.cli.text import print_table
from guestctl.control.queries import named
from guestctl.control.requests import Named, RequestError, find
from guestctl.decisions.overview import rows
from guestctl.model.guest import State
from guestctl.model.instant import Instant
from guestctl.model.overview import NextBoot, Row
from guestctl.model.stop import Certainty, StoppedBy
from tests.unit.command import TEST, Command
from tests.unit.makers import BOOT, always, guest, guest_id, off, policy, recorded
from tests.unit.terminals import on_terminal

BY_IT = StoppedBy.LIBVIRT_GUESTS
NOW = Instant(10**18, BOOT, 10**18)
LONG = "a" * 40 + "-" + "b" * 28


def some_rows() -> list[Row]:
    """A guest that is held, one that its policy leaves down, and two that are well."""
    seen = [guest("held", 1), guest("web", 2), off("off", 3), guest("db", 4)]
    known = [recorded(1, "held", hold="held by alice: its disk changed")]
    made = rows(seen, {one.id: one for one in known}, always(policy()), NOW, owned=True)
    return [replace(row, stopped_by=None) for row in made]


def test_what_needs_more_words_stands_below_and_is_said_once_for_all() -> None:
    held, well = [row for row in some_rows() if row.held], [r for r in some_rows() if not r.held]
    assert below(held) == ["held: held by alice: its disk changed"]
    assert below(well) == []
    stays = [replace(row, next_boot=NextBoot.STAY_DOWN, reason="policy") for row in well]
    assert below([r for r in stays if r.wanted == "on"]) == ["db, web: stay-down: policy"]


def test_guests_that_libvirt_guests_took_down() -> None:
    off_by_it = [replace(row, state=State.SHUT_OFF, stopped_by=BY_IT) for row in some_rows()]
    assert below(off_by_it) == [
        "db, web: off since libvirt-guests was stopped; back by `guestctl start` or the next boot",
        "held: held by alice: its disk changed",
    ]


def test_what_is_said_of_guests_that_are_shed() -> None:
    how: dict[str, Any] = {
        "shed": "on battery",
        "up_boot": None,
        "taken_down": True,
        "stopped_at": 10**18,
    }
    seen = [off("web", 2, saved=True, reason="saved"), off("db", 4, reason="shutdown")]
    known = [recorded(2, shed_boot=BOOT, **how), recorded(4, "db", shed_boot="before", **how)]
    made = rows(seen, {one.id: one for one in known}, always(policy()), NOW, owned=True)
    assert below(made) == ["web: shed (on battery): `guestctl resume` brings it back"]
    assert [(row.shed, row.next_boot) for row in made] == [
        (None, NextBoot.START),
        ("on battery", NextBoot.RESUME),
    ]
    assert made[1].why_wanted == "it is shed (on battery): `guestctl resume` brings it back"
    assert shed(made[0]) == ""
    assert shed(made[1]).startswith("shed since 2001-09-09 ")


def test_what_is_said_of_a_guest_that_was_given_up() -> None:
    known = recorded(2, waits_for="no disk", waits_in=BOOT, up_boot=None, given_up=True)
    seen = [off("web", 2, reason="unknown")]
    made = rows(seen, {known.id: known}, always(policy()), NOW, owned=True)
    assert below(made) == ["web: given up: no disk; `guestctl start web` tries it again"]
    assert (made[0].waiting, made[0].given_up) == (None, "no disk")
    assert made[0].why_wanted == "it was given up: no disk"


def test_names_and_patterns() -> None:
    known = [Named(guest_id(n), name) for n, name in enumerate(("web-1", "web-2", "db", "a*"))]
    assert find(["web-*"], known, patterns=True) == {guest_id(0), guest_id(1)}
    assert find(["db", "web-[2]"], known, patterns=True) == {guest_id(1), guest_id(2)}
    assert find(["a*"], known, patterns=True) == {guest_id(3)}, "a name goes before a pattern"
    assert find([guest_id(2).uuid], known, patterns=True) == {guest_id(2)}
    for pattern in ("x*", "["):
        with pytest.raises(RequestError, match="cannot find"):
            find([pattern], known, patterns=True)
    with pytest.raises(RequestError, match=r'cannot find "web1": .*; did you mean "web-1"\?'):
        find(["web1"], known)
    with pytest.raises(RequestError, match=r'cannot find "web-\*": .*patterns are not taken here'):
        find(["web-*"], known)
    assert [row.name for row in named(some_rows(), ["*e*"])] == ["held", "web"]


def test_a_table_on_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestctl.cli.text.screen_width", lambda: 80)
    print_table(("NAME", "STATE", "STOPPED BY"), [(LONG, "running", "x" * 90)], ["c: " + "d " * 60])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("a" * 13 + "…" + "b" * 12 + "  running")
    assert lines[2] == ""
    assert len(lines) == 5


def test_list_on_a_real_terminal(command: Command) -> None:
    """It was 15 lines of broken words with one hold."""
    reason = "its disk has changed since it was saved, and nobody knows by whom it was done"
    command.run("hold", "-c", TEST, "--reason", reason, "test")
    options = command.options()
    out = on_terminal(
        command.argv("list", "-c", TEST),
        env={**options["env"], "NO_COLOR": "1"},
        user=options.get("user"),
        folder=str(command.home),
    )
    heading, line, empty, *footer = out.replace("\r", "").splitlines()
    assert heading.split() == ["NAME", "STATE", "WANTED", "SAVED", "NEXT", "BOOT", "STOPPED", "BY"]
    assert line.split() == ["test", "running", "on", "no", "held", "-"]
    assert empty == ""
    who = pwd.getpwuid(options.get("user", os.getuid())).pw_name
    assert " ".join(" ".join(footer).split()) == f"test: held by {who}: {reason}"
    assert all(len(line) <= 80 for line in footer)


def test_guests_are_chosen_by_pattern_state_and_hold(command: Command, node: str) -> None:
    def listed(*arguments: str) -> list[str]:
        out = command.run("list", "-c", node, *arguments).stdout
        table, _, _below = out.partition("\n\n")
        return [line.split()[0] for line in table.splitlines()[1:]]

    assert listed("--", "-d*") == ["-dash"]
    assert listed("--state", "running") == ["-dash", "passing"]
    assert listed("--state", "running", "pass*") == ["passing"]
    assert listed("--held") == []
    assert "guestctl" not in command.run("plan", "-c", node, "pass*").stdout
    wide = command.run("list", "-c", node, "-o", "wide", "passing").stdout
    assert node in wide
    wrong = command.run("list", "-c", node, "--state", "odd", status=2)
    assert "shut off" in wrong.stderr


def test_how_sure_it_is_who_stopped_it_is_said_unless_it_was_seen() -> None:
    (row,) = (row for row in some_rows() if row.name == "off")
    stopped = replace(
        row, stopped_by=StoppedBy.USER, stopped_at=NOW.at - 7200 * 10**9, certainty=Certainty.LIKELY
    )
    assert _stopped_shortly(stopped, NOW.at) == "user (likely), 2h ago"
    seen = replace(stopped, certainty=Certainty.OBSERVED)
    assert _stopped_shortly(seen, NOW.at) == "user, 2h ago"
