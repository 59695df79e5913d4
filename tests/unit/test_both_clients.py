"""This process and the service over the bus give the same answers to the same questions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from guestctl.config import reading
from guestctl.config.config import Config
from guestctl.control import queries
from guestctl.control.client import Client
from guestctl.control.failure import Failure, RequestError
from guestctl.control.replies import Said
from guestctl.control.requests import Down, PolicyRequest, Shown, Up
from guestctl.decisions.host_facts import HostFacts
from guestctl.decisions.shedding import NOBODY_NUMBERED
from guestctl.host import machine
from guestctl.model.guest import GuestId
from guestctl.model.history import TrailEntry
from guestctl.model.plan import Outcome, RunKind, describe
from guestctl.model.report import RunEvent, Trouble
from guestctl.model.result import RunResult
from tests.unit.both_clients import Both, both_of, served
from tests.unit.command import TEST, TEST_UUID
from tests.unit.private_bus import PrivateBus

ID = GuestId(TEST, TEST_UUID)
CONFIG = f"""uris = ["{TEST}"]
[[guest]]
match = "nobody-*"
save = "none"
[profile.ups]
save = "none"
"""
MISTAKEN = f'{CONFIG}[boot]\nretries = "many"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The configuration of a host of the test's own, with one guest, and root at its keyboard."""
    for name in ("state_folder", "copy_folder", "run_folder"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(machine, name, lambda folder=folder: folder)
    monkeypatch.setattr(machine, "SYSTEM_RUN", tmp_path / "run_folder")
    monkeypatch.setattr(machine, "is_root", lambda: True)
    file = tmp_path / "guestctl.toml"
    file.write_text(CONFIG)
    # What becomes of its guest lives as long as there is a connection.
    with contextlib.closing(libvirt.open(TEST)):
        yield file


@pytest.fixture
def both(file: Path, bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    with served(bus, file):
        yield both_of(file)


def test_whatever_is_typed(both: Both) -> None:
    """Nobody goes without a preserve because of a line's end in what is said about it."""
    for reason in ("two\nlines \x1b[2J", "x" * 5000):
        assert both.there.hold(["test"], reason)
        ((_, entry), *_) = both.there.trail("test", None, [])[-2:]
        assert entry.reason.startswith(("two\\nlines \\x1b[2J", "x" * 4000))
    for name in ("\udcff", "a\nb", "x" * 5000, "", " "):
        for client in (both.here, both.there):
            with pytest.raises(RequestError) as caught:
                client.hold([name], None)
            assert caught.value.failure is Failure.WRONG_REQUEST


def _timeless(facts: HostFacts) -> HostFacts:
    return replace(facts, at=0, up=0)


def test_what_is_seen_and_known(both: Both) -> None:
    facts = both.agree(lambda client: _timeless(client.facts()))
    assert [guest.id for guest in facts.guests] == [ID]
    assert both.agree(lambda client: (client.sees_all, client.is_hosts)) == (True, True)
    both.agree(lambda client: client.status(hosts_files=True))
    assert both.agree(lambda client: client.problems()).rows == []
    assert both.agree(lambda client: client.history(10)) == []
    assert both.agree(lambda client: client.trail("test", None, [ID])) == []
    assert both.agree(lambda client: client.wanted_off()) == set()


def test_mistakes_in_the_files_are_for_whoever_reads_them_to_tell(both: Both, file: Path) -> None:
    """A command reads the files as well, and has told of them."""
    file.write_text(MISTAKEN)
    both.agree(lambda client: replace(_timeless(client.facts()), config=Config()))
    both.agree(lambda client: client.problems())
    both.agree(lambda client: client.history(1))
    assert both.said_there == []


def test_marks(both: Both) -> None:
    def held(client: Client) -> list[Said]:
        again = [client.hold(["t*"], None), client.hold(["test"], "its disk")]
        return [*again, client.release([TEST_UUID], None), client.release(["test"], "mended")]

    said = both.agree(held)
    assert said[1] == [("test", "held by root: its disk")]
    for wrong in (
        both.agree(lambda client: client.forget(["test"], None)),
        both.agree(lambda client: client.hold(["tset", "nobody"], None)),
        both.agree(lambda client: client.release(["tset", "nobody"], None)),
        both.agree(lambda client: client.forget(["tset", "nobody"], None)),
    ):
        assert wrong[0] is Failure.WRONG_REQUEST
    trail = both.agree(lambda client: client.trail("test", None, [ID]))
    assert TrailEntry("operator:root", "its disk", trail[2][1].at) == trail[2][1]
    facts = both.agree(lambda client: _timeless(client.facts()))
    assert facts.records[0].wanted == "on"


def test_settings(both: Both, file: Path) -> None:
    found = reading.read(file)

    def changed(client: Client) -> list[object]:
        """There and back: it is then as it was before."""
        given, nothing = [("save", "none"), ("after", "nobody")], [("order", "3"), ("save", "all")]
        return [
            client.change_policy(found, PolicyRequest("test", given, [], "so")),
            client.policy(found, "test"),
            client.change_policy(found, PolicyRequest("test", [], ["all", "order"])),
            client.change_policy(found, PolicyRequest("test", nothing, [])),
            client.change_policy(found, PolicyRequest("test", [], ["all"])),
        ]

    both.agree(changed)
    wrong = PolicyRequest("test", [("save", "never")], ["nonsense"])
    assert both.agree(lambda client: client.change_policy(found, wrong))[0] is Failure.WRONG_REQUEST
    nobody = PolicyRequest("tset", [("save", "none")], [])
    both.agree(lambda client: client.change_policy(found, nobody))
    both.agree(lambda client: client.policy(found, "tset"))


def _take_down(client: Client, kind: RunKind, *names: str, profile: str | None = None) -> RunResult:
    request = Down(kind, names, time.monotonic(), within=60.0, reason="so", profile=profile)
    told: list[RunEvent] = []
    result = client.take_down(request, Shown(told.append))
    assert told
    return _outcome(result)


def _bring_up(client: Client, *names: str, run: int | None = None) -> RunResult:
    return _outcome(client.bring_up(Up(names, run=run), Shown(lambda _: None)))


def _outcome(result: RunResult) -> RunResult:
    """Without its number, and how long it took."""
    steps = [tuple(replace(step, seconds=0.0) for step in guest.steps) for guest in result.guests]
    guests = tuple(
        replace(guest, seconds=0.0, steps=done)
        for guest, done in zip(result.guests, steps, strict=True)
    )
    return replace(result, run=None, guests=guests)


def test_runs(both: Both) -> None:
    def story(client: Client) -> list[RunResult]:
        return [
            _take_down(client, RunKind.PRESERVE),
            _bring_up(client),
            _take_down(client, RunKind.SHUTDOWN, "test", profile="ups"),
            _bring_up(client, run=client.history(1)[0].run.id),
            _bring_up(client, "te*"),
        ]

    results = both.agree(story)
    outcomes = [guest.outcome for result in results for guest in result.guests]
    assert outcomes == [Outcome.SAVED, *_UP_AND_OFF]
    runs = both.agree(lambda client: client.history(10))
    assert [past.run.kind for past in runs[5:]] == [past.run.kind for past in runs[:5]]
    both.agree(lambda client: client.history(2, ["te*"], RunKind.SHUTDOWN))
    both.agree(lambda client: client.status(hosts_files=True))


def _shed(client: Client, *names: str, **how: Any) -> RunResult:
    begun = time.monotonic()
    request = Down(RunKind.PRESERVE, names, begun, 60.0, "on battery", sheds=True, **how)
    return _outcome(client.take_down(request, Shown(lambda _: None)))


def _resume(client: Client, *names: str) -> RunResult:
    told: list[RunEvent] = []
    result = client.bring_up(Up(names, reason="line", shed=True), Shown(told.append))
    troubles = [event.message for event in told if isinstance(event, Trouble)]
    assert troubles == [f"{name} is not shed" for name in names if not result.guests]
    return _outcome(result)


def test_shedding(both: Both) -> None:
    def story(client: Client) -> list[object]:
        shed = [_shed(client, "test"), _shed(client, "test"), _shed(client, profile="ups")]
        rows = queries.guests(client.facts())[0]
        said = client.status(hosts_files=True).values["shed"]
        back = [_resume(client, "t*"), _resume(client)]
        return [*shed, [row.shed for row in rows], [one["reason"] for one in said], *back]

    shed, again, nobody, rows, said, back, none = both.agree(story)
    ends = [[guest.outcome for guest in run.guests] for run in (shed, again, nobody, back, none)]
    assert ends == [[Outcome.SAVED], [Outcome.SKIPPED], [], [Outcome.STARTED], []]
    assert (rows, said) == (["on battery"], ["on battery"])
    runs = both.agree(lambda client: [str(past.run.trigger) for past in client.history(5)])
    assert runs == ["resume", "resume", "shed", "shed", "shed"]


def test_what_shedding_would_do(both: Both) -> None:
    def planned(client: Client, *names: str, profile: str | None = None) -> list[str]:
        facts = queries.under_profile(client.facts(), profile)
        return [describe(one) for one in queries.shed_plan(facts, names, None, profile).guests]

    (line,) = both.agree(lambda client: planned(client, "test"))
    assert line.startswith("save (at most 10min)")
    assert both.agree(lambda client: planned(client, profile="ups")) == []
    assert both.agree(planned) == (Failure.WRONG_REQUEST, NOBODY_NUMBERED)
    assert both.agree(lambda client: planned(client, "tset"))[0] is Failure.WRONG_REQUEST


def test_shedding_that_does_not_begin(both: Both) -> None:
    failure, text = both.agree(_shed)
    assert (failure, text) == (Failure.WRONG_REQUEST, NOBODY_NUMBERED)
    for how in ({"profile": "nobodys"}, {"order": 5}):
        both.agree(lambda client, how=how: _shed(client, **how))  # type: ignore[misc]
    assert both.agree(lambda client: _resume(client, "tset"))[0] is Failure.WRONG_REQUEST
    both.agree(lambda client: _resume(client, "test"))


#: The test driver boots a guest that has a save; the last one named is up already.
_UP_AND_OFF = [Outcome.STARTED, Outcome.SHUT_DOWN, Outcome.STARTED, Outcome.SKIPPED]


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
def test_runs_that_do_not_begin(both: Both, kind: RunKind) -> None:
    assert both.agree(lambda client: _take_down(client, kind, "tset", "test", "t*")) == (
        Failure.WRONG_REQUEST,
        'cannot find "tset": no guest has this name or UUID; did you mean "test"?\n'
        'cannot find "t*": no guest has this name, and patterns are not taken here',
    )
    wrong = both.agree(lambda client: _take_down(client, kind, "test", profile="nobodys"))
    assert wrong[0] is Failure.WRONG_REQUEST
    assert both.agree(lambda client: _bring_up(client, run=99))[0] is Failure.WRONG_REQUEST
    assert both.agree(lambda client: client.history(1)) == []
