"""libvirt-guests.service put out of action and back, whatever state it is in; its stop is run by
nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guestctl.control.failure import RequestError
from guestctl.control.takeover import rival
from guestctl.control.takeover.interrupts import Interrupts
from guestctl.control.takeover.record import Store
from guestctl.control.takeover.runner import Runner
from guestctl.host.libvirt import auto_shutdown
from tests.unit.fake_units import STOP, FakeUnits


class Killed(BaseException):
    """Nobody sees to anything any more."""


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeUnits:
    units = FakeUnits(tmp_path)
    monkeypatch.setattr(rival, "unit_files", units)
    monkeypatch.setattr(rival, "DROP_IN", units.file)
    monkeypatch.setattr(rival, "LIST", units.folder / "list")
    return units


def runner(units: FakeUnits) -> Runner:
    store = Store(units.folder / "state/takeover.json")
    return Runner([rival.step()], store, lambda _text: None, Interrupts())


def state(units: FakeUnits) -> tuple[str, str, bool]:
    return units.enabled, units.active, units.file.exists()


#: Load state, and whether it is enabled and active: before, and while guestctl is in charge.
STATES = [
    (("loaded", "enabled", "active"), ("disabled", "inactive", True)),
    (("loaded", "enabled", "inactive"), ("disabled", "inactive", True)),
    (("loaded", "enabled", "failed"), ("disabled", "failed", True)),
    (("loaded", "enabled-runtime", "active"), ("disabled", "inactive", True)),
    (("loaded", "disabled", "active"), ("disabled", "inactive", True)),
    (("loaded", "disabled", "inactive"), ("disabled", "inactive", True)),
    (("loaded", "static", "active"), ("static", "inactive", True)),
    (("masked", "masked", "inactive"), ("masked", "inactive", False)),
    (("not-found", "", "inactive"), ("", "inactive", False)),
]


@pytest.mark.parametrize(("was", "then"), STATES)
def test_there_and_back(
    units: FakeUnits, was: tuple[str, str, str], then: tuple[str, str, bool]
) -> None:
    units.load, units.enabled, units.active = was
    before = state(units)
    runner(units).take_over()
    assert state(units) == then
    runner(units).take_over()
    runner(units).hand_back()
    assert state(units) == before
    assert not units.shut_down


def test_masked_while_it_is_up_it_cannot_be_brought_back(units: FakeUnits) -> None:
    units.load, units.enabled = "masked", "masked"
    runner(units).take_over()
    runner(units).hand_back()
    assert state(units) == ("masked", "inactive", False)


def test_a_drop_in_of_the_administrators_counts_more(units: FakeUnits) -> None:
    units.later = f"[Service]\nExecStop=\n{STOP}"
    with pytest.raises(RequestError, match=r"override\.conf sets it again; take ExecStop= and"):
        runner(units).take_over()
    assert state(units) == ("enabled", "active", False)
    assert not units.shut_down


def test_one_that_sets_something_else_does_not(units: FakeUnits) -> None:
    units.later = "[Service]\nExecStop=\nTimeoutStopSec=60\n"
    assert runner(units).take_over()


@pytest.mark.parametrize("active", ["activating", "deactivating"])
def test_busy_it_is_left_alone(units: FakeUnits, active: str) -> None:
    units.active = active
    with pytest.raises(RequestError, match="wait until it is through"):
        rival.refuse_if_busy("hand back")
    with pytest.raises(RequestError, match="is just being"):
        runner(units).take_over()
    assert state(units) == ("enabled", active, False)


def test_up_while_its_script_brings_guests_back_it_is_busy_too(units: FakeUnits) -> None:
    """Type=exec, as libvirt 12.8 has it."""
    units.sub, listing = "running", units.folder / "list"
    listing.touch()
    with pytest.raises(RequestError, match="is just being started; wait until"):
        rival.refuse_if_busy("take over")
    listing.unlink()
    rival.refuse_if_busy("take over")
    units.sub = "exited"
    listing.touch()
    assert runner(units).take_over()


def test_a_drop_in_that_was_written_by_hand_is_put_back_as_it_was(units: FakeUnits) -> None:
    units.file.write_text("[Service]\nExecStop=\n")
    units.reload()
    runner(units).take_over()
    runner(units).hand_back()
    assert units.file.read_text() == "[Service]\nExecStop=\n"


def test_nobody_took_over(units: FakeUnits) -> None:
    """It was switched off by the how-to of old."""
    units.enabled, units.active = "disabled", "inactive"
    units.file.write_text("[Service]\nExecStop=\n")
    assert runner(units).hand_back()
    assert state(units) == ("enabled", "active", False)
    assert not runner(units).hand_back()


def test_nobody_took_over_and_libvirt_itself_is_in_charge(
    units: FakeUnits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a handback is asked for again: both would act as the host goes down."""
    monkeypatch.setattr(auto_shutdown, "switched_on", lambda: ("auto_shutdown_try_save",))
    units.enabled, units.active = "disabled", "inactive"
    assert not runner(units).hand_back()
    assert state(units) == ("disabled", "inactive", False)


def killing(after: int) -> Callable[[], None]:
    left = iter(range(after))

    def before() -> None:
        if next(left, None) is None:
            raise Killed

    return before


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("hand_back", [False, True])
def test_killed_anywhere(units: FakeUnits, after: int, hand_back: bool) -> None:
    for killed in ("take_over", "hand_back"):
        units.before = lambda: None
        if killed == "hand_back":
            runner(units).take_over()
        units.before = killing(after)
        with pytest.raises(Killed):
            getattr(runner(units), killed)()
        units.before = lambda: None
        if hand_back:
            runner(units).hand_back()
            assert state(units) == ("enabled", "active", False)
        else:
            runner(units).take_over()
            assert state(units) == ("disabled", "inactive", True)
            runner(units).hand_back()
        assert not units.shut_down
