"""The steps of a takeover in turn, and back, whatever ends it in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guestctl.control.failure import Failure, RequestError
from guestctl.control.takeover.interrupts import Interrupted, Interrupts
from guestctl.control.takeover.record import Progress, Record, Store
from guestctl.control.takeover.runner import Runner
from guestctl.control.takeover.step import Before, Say, Step, StepFailed

NAMES = ("one", "two", "three")
OLD, NEW = dict.fromkeys(NAMES, "old"), dict.fromkeys(NAMES, "new")


class Killed(BaseException):
    """Nobody sees to anything any more."""


class Host:
    """What three steps change, and how many more changes there are before something happens."""

    def __init__(self, folder: Path) -> None:
        self.state = dict(OLD)
        self.store = Store(folder / "takeover.json")
        self.said: list[str] = []
        self.stays_up = True
        self.happens: Callable[[], None] | None = None
        self.left = 0

    def change(self, name: str, value: str) -> None:
        """Something can happen before a change, in the middle of it, and after it."""
        for now in (self.state[name], "half", value):
            self.state[name] = now
            if self.left == 0 and self.happens:
                happens, self.happens = self.happens, None
                happens()
            self.left -= 1

    def interrupted(self, after: int, happens: Callable[[], None]) -> None:
        self.left, self.happens = after, happens

    def runner(self) -> Runner:
        steps = [self.step(name) for name in NAMES]
        return Runner(steps, self.store, self.say, Interrupts(), lambda: self.stays_up)

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, name: str) -> Step:
        def undo(before: Before | None, _say: Say) -> None:
            self.change(name, before["was"] if before else "default")

        return Step(
            name,
            f"do {name}",
            f"undo {name}",
            look=lambda: {"was": self.state[name]},
            is_done=lambda: self.state[name] == "new",
            do=lambda _say: self.change(name, "new"),
            undo=undo,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def raising(error: BaseException) -> Callable[[], None]:
    def happens() -> None:
        raise error

    return happens


EVERYWHERE = range(9)


def test_in_turn_and_back(host: Host) -> None:
    assert host.runner().take_over()
    assert host.state == NEW
    record = host.store.read()
    assert record is not None
    assert record.complete
    assert {it.progress for it in record.entries.values()} == {Progress.DONE}
    assert host.said == ["do one …", "do two …", "do three …"]
    host.said.clear()
    assert host.runner().hand_back()
    assert host.said == ["undo three …", "undo two …", "undo one …"]
    assert host.state == OLD
    assert host.store.read() is None


def test_twice_is_already_so(host: Host) -> None:
    host.runner().take_over()
    host.said.clear()
    assert not host.runner().take_over()
    assert host.said == [f"do {name}: already so" for name in NAMES]
    host.runner().hand_back()
    assert not host.runner().hand_back()


@pytest.mark.parametrize("after", EVERYWHERE)
def test_one_that_fails_is_undone(host: Host, after: int) -> None:
    host.interrupted(after, raising(StepFailed("cannot do it: no")))
    with pytest.raises(RequestError, match="cannot do it: no; what was done until then was undone"):
        host.runner().take_over()
    assert host.state == OLD
    assert host.store.read() is None


@pytest.mark.parametrize("after", EVERYWHERE)
def test_told_to_end_it_is_undone(host: Host, after: int) -> None:
    host.interrupted(after, raising(Interrupted()))
    with pytest.raises(Interrupted):
        host.runner().take_over()
    assert host.state == OLD
    assert host.store.read() is None


@pytest.mark.parametrize("after", EVERYWHERE)
def test_killed_it_goes_on(host: Host, after: int) -> None:
    host.interrupted(after, raising(Killed()))
    with pytest.raises(Killed):
        host.runner().take_over()
    host.runner().take_over()
    assert host.state == NEW
    host.runner().hand_back()
    assert host.state == OLD


@pytest.mark.parametrize("after", EVERYWHERE)
def test_killed_it_is_handed_back(host: Host, after: int) -> None:
    host.interrupted(after, raising(Killed()))
    with pytest.raises(Killed):
        host.runner().take_over()
    host.runner().hand_back()
    assert host.state == OLD
    assert host.store.read() is None


@pytest.mark.parametrize("after", EVERYWHERE)
def test_a_handback_that_is_killed_goes_on(host: Host, after: int) -> None:
    host.runner().take_over()
    host.interrupted(after, raising(Killed()))
    with pytest.raises(Killed):
        host.runner().hand_back()
    host.runner().hand_back()
    assert host.state == OLD
    assert host.store.read() is None


@pytest.mark.parametrize("after", EVERYWHERE)
def test_or_is_taken_over_again(host: Host, after: int) -> None:
    host.runner().take_over()
    host.interrupted(after, raising(Killed()))
    with pytest.raises(Killed):
        host.runner().hand_back()
    host.runner().take_over()
    assert host.state == NEW
    host.runner().hand_back()
    assert host.state == OLD


def test_what_was_so_before_stays(host: Host) -> None:
    host.state["two"] = "new"
    host.runner().take_over()
    host.runner().hand_back()
    assert host.state == {**OLD, "two": "new"}


def test_a_complete_one_is_only_mended(host: Host) -> None:
    host.runner().take_over()
    host.state["two"] = "old"
    host.interrupted(1, raising(StepFailed("cannot do it: no")))
    with pytest.raises(RequestError, match=r"no$"):
        host.runner().take_over()
    assert (host.state["one"], host.state["three"]) == ("new", "new")
    assert host.runner().take_over()
    host.runner().hand_back()
    assert host.state == OLD


def test_one_that_cannot_be_undone_leaves_those_before_it(host: Host) -> None:
    """guestctl is one of them: it is there as long as nobody else is."""
    host.runner().take_over()
    host.interrupted(4, raising(StepFailed("cannot undo it: no")))
    with pytest.raises(RequestError, match=r"cannot undo it: no; .*guestctl handback"):
        host.runner().hand_back()
    assert host.state == {"one": "new", "two": "half", "three": "old"}
    assert host.runner().hand_back()
    assert host.state == OLD


def test_nor_after_another_one_has_failed(host: Host) -> None:
    def fails() -> None:
        host.interrupted(3, raising(StepFailed("cannot undo it: no")))
        raise StepFailed("cannot do it: no")

    host.interrupted(5, fails)
    with pytest.raises(RequestError, match=r"cannot do it: no; and cannot undo it: no; "):
        host.runner().take_over()
    assert host.state["one"] == "new"
    host.runner().hand_back()
    assert host.state == OLD


def test_a_full_disk_keeps_nobody_from_handing_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Record) -> None:
        raise RequestError(Failure.NOT_ALL_WELL, "cannot write: No space left on device")

    host.runner().take_over()
    monkeypatch.setattr(host.store, "write", full)
    assert host.runner().hand_back()
    assert host.state == OLD
    assert host.store.read() is None


@pytest.mark.parametrize("error", [StepFailed("cannot do it: no"), Interrupted()])
def test_nothing_is_undone_as_the_host_goes_down(host: Host, error: BaseException) -> None:
    """guestctl sees to its guests by then."""

    def goes_down() -> None:
        host.stays_up = False
        raise error

    host.interrupted(4, goes_down)
    with pytest.raises((RequestError, Interrupted)):
        host.runner().take_over()
    assert host.state == {"one": "new", "two": "half", "three": "old"}
    host.stays_up = True
    host.runner().take_over()
    assert host.state == NEW


def test_no_step_is_begun_once_the_host_goes_down(host: Host) -> None:
    """Its run waits until this has ended."""

    def goes_down() -> None:
        host.stays_up = False

    host.interrupted(2, goes_down)
    with pytest.raises(RequestError, match="the host is going down: ask again after the next boot"):
        host.runner().take_over()
    assert host.state == {**OLD, "one": "new"}
    host.stays_up = True
    host.runner().take_over()
    host.interrupted(2, goes_down)
    with pytest.raises(RequestError, match="the host is going down"):
        host.runner().hand_back()
    assert host.state == {**NEW, "three": "old"}


def test_without_a_record_what_is_usual_is_handed_back(host: Host) -> None:
    host.state = dict(NEW)
    assert not host.runner().take_over()
    assert host.store.read() is None
    assert host.runner().hand_back()
    assert set(host.state.values()) == {"default"}


def test_a_step_that_does_not_come_about_fails(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "change", lambda *_: None)
    with pytest.raises(RequestError, match="cannot do one: it did not come about"):
        host.runner().take_over()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "steps": {}, "complete": true}'])
def test_a_damaged_record_is_refused(host: Host, text: str) -> None:
    host.store.file.write_text(text)
    for ask in (host.runner().take_over, host.runner().hand_back):
        with pytest.raises(RequestError, match=r"cannot use .*takeover\.json.*: it is damaged"):
            ask()
    assert host.state == OLD
