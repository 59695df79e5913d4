"""The ledger is lost, or an older one put back: what its copy knows is not forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from guestctl.ledger.ledger import CopyNeed, Ledger
from guestctl.ledger.second_copy import SecondCopy
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.guest import State
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import Trigger
from guestctl.model.save import SaveState
from guestctl.model.stop import StoppedBy
from tests.ledgers import DONE, clock, hold, taking_down, want
from tests.unit.makers import BOOT, guest
from tests.unit.running import run_async

SAVED, OFF, HELD = guest("saved", 1), guest("off", 2), guest("held", 3)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder; the copy is beside it."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def use(state: Path, *works: Callable[[Ledger], object]) -> tuple[list[object], list[str]]:
    """A process does this with the ledger: the answers, and what was complained of."""
    said: list[str] = []

    async def main() -> list[object]:
        return [await writer(work, None) for work in works]

    writer = LedgerWriter(
        state / "ledger.db", clock(), said.append, copy=SecondCopy(state.parent / "cache")
    )
    try:
        return run_async(main()), said
    finally:
        writer.close()


def preserve(ledger: Ledger) -> None:
    """One guest is saved for the host's sake, one is off, one is held."""
    for one in (SAVED, OFF, HELD):
        ledger.note_up(one, BOOT)
    run = ledger.runs.begin(RunKind.PRESERVE, Trigger.HOST_STOP, BOOT)
    taking_down(ledger, SAVED)
    ledger.runs.end_step(ledger.runs.begin_step(run, SAVED, Step.SAVE), SAVED.id, DONE)
    ledger.saves.stamp(SAVED.id, "image", "stamps")
    want(ledger, OFF, Wanted.OFF, StoppedBy.USER)
    hold(ledger, HELD, "for a reason")
    ledger.copy = CopyNeed.MAKE


def known(ledger: Ledger) -> dict[str, GuestRecord]:
    """By name."""
    return {record.name: record for record in ledger.guests().values()}


def loss(ledger: Ledger) -> str:
    """What the next run is not well for."""
    return ledger.loss


def lose(state: Path) -> None:
    """Nothing is left of it."""
    shutil.rmtree(state)


def test_a_ledger_that_is_as_it_was_goes_on(state: Path) -> None:
    use(state, preserve)
    assert use(state, loss) == ([""], [])
    assert (state.parent / "cache/ledger-copy.db").stat().st_mode & 0o077 == 0


def test_a_lost_ledger_is_known_from_its_copy(state: Path) -> None:
    (before, *_), _ = use(state, known, preserve)
    (before, *_), _ = use(state, known)
    lose(state)
    (found, text, save), said = use(state, known, loss, lambda it: it.saves.newest(SAVED.id))
    assert found == before
    assert said == [text]
    assert "the ledger was lost: 3 guests are known from" in str(text)
    assert (save.state, save.image, save.stamps) == (SaveState.DONE, "image", "stamps")  # type: ignore[attr-defined]
    assert use(state, loss) == ([""], [])


def test_a_lost_ledger_still_knows_why_a_saved_guest_was_paused(state: Path) -> None:
    stalled = replace(SAVED, state=State.PAUSED, reason="I/O error")

    def save(ledger: Ledger) -> None:
        ledger.note_up(stalled, BOOT)
        ledger.saves.begin(None, stalled)
        ledger.copy = CopyNeed.MAKE

    use(state, save)
    lose(state)
    assert use(state, lambda ledger: ledger.saves.paused(SAVED.id))[0] == ["I/O error"]


def test_a_copy_that_is_spent_starts_nobody(state: Path) -> None:
    """Who was to be on may have been turned off since; who was off or held stays so."""
    use(state, preserve)
    use(state, lambda ledger: ledger.note_up(SAVED, "the next boot"))
    lose(state)
    (found, text), _ = use(state, known, loss)
    assert found.keys() == {"off", "held"}  # type: ignore[attr-defined]
    assert "what came after the copy was made is not known" in str(text)


def test_who_looks_and_finds_nothing_new_spends_nothing(state: Path) -> None:
    use(state, preserve)

    def look(ledger: Ledger) -> None:
        for record in ledger.guests(BOOT).values():
            ledger.put(record)

    use(state, look)
    assert (state.parent / "cache/ledger-copy.db").exists()


def test_what_is_known_as_it_is_made_does_not_spend_it(state: Path) -> None:
    """The service notices what a run does, and may write that down together with the run's end."""

    def preserve_and_notice(ledger: Ledger) -> None:
        preserve(ledger)
        want(ledger, SAVED, Wanted.OFF, StoppedBy.USER)

    use(state, preserve_and_notice)
    lose(state)
    (found, _), _ = use(state, known, loss)
    assert found.keys() == {"saved", "off", "held"}  # type: ignore[attr-defined]
    assert found["saved"].wanted is Wanted.OFF  # type: ignore[index]


def test_an_older_ledger_is_noticed_and_brought_up_to_date(state: Path) -> None:
    use(state, preserve)
    backup = (state / "ledger.db").read_bytes()

    def turn_off(ledger: Ledger) -> None:
        want(ledger, SAVED, Wanted.OFF, StoppedBy.USER)
        ledger.copy = CopyNeed.MAKE

    use(state, turn_off)
    lose(state)
    state.mkdir()
    (state / "ledger.db").write_bytes(backup)
    (found, text), _ = use(state, known, loss)
    assert found["saved"].wanted is Wanted.OFF  # type: ignore[index]
    assert "is older than its copy" in str(text)


def test_another_ledger_is_told(state: Path) -> None:
    use(state, preserve)
    copy = (state.parent / "cache/ledger-copy.db").read_bytes()
    lose(state)
    shutil.rmtree(state.parent / "cache")
    use(state, preserve)
    (state.parent / "cache/ledger-copy.db").write_bytes(copy)
    assert "another than the one of its copy" in str(use(state, loss)[0][0])


@pytest.mark.parametrize("content", [b"", b"no database", b"\0" * 8192])
def test_a_copy_that_makes_no_sense_is_none(state: Path, content: bytes) -> None:
    (state.parent / "cache").mkdir()
    (state.parent / "cache/ledger-copy.db").write_bytes(content)
    assert use(state, loss) == ([""], [])


def test_without_a_place_for_it_there_is_none(state: Path) -> None:
    (state.parent / "cache").touch()
    assert use(state, preserve, loss)[1] == []
