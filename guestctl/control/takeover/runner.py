"""The steps of a takeover one after the other, and back; what each had before is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..failure import Failure, RequestError
from .interrupts import Interrupted, Interrupts
from .record import Entry, Progress, Record, Store
from .step import TROUBLE, Before, Say, Step, StepFailed, in_words


class Runner:
    """steps: in the order in which they are done.  say: shows what is done.

    interrupts: who holds SIGINT and SIGTERM off while something is undone.  stays_up: whether the
    host does; where it goes down, guestctl has begun to see to its guests, and must end that.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        store: Store,
        say: Say,
        interrupts: Interrupts,
        stays_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._steps = steps
        self._store = store
        self._say = say
        self._interrupts = interrupts
        self._stays_up = stays_up

    def take_over(self) -> bool:
        """Whether there was something to do.

        RequestError, Interrupted: all was undone, or it is said what was not.  But a takeover that
        was complete once is only mended: what failed then has guestctl in charge all the same.
        """
        found = self._store.read()
        if found is None and all(step.is_done() for step in self._steps):
            self._say_already(self._steps)
            return False
        record = self._looked(found or Record())
        try:
            return self._do_all(record)
        except (Exception, Interrupted) as error:  # a fault of ours is undone as any other
            self._interrupts.hold_off()
            undone = "" if record.complete else self._undo_all(in_words(error))
            if not isinstance(error, TROUBLE):
                raise
            raise RequestError(Failure.NOT_ALL_WELL, f"{in_words(error)}{undone}") from error

    def _looked(self, record: Record) -> Record:
        """With what there is now, for each step that has changed nothing yet; on disk."""
        for step in self._steps:
            entry = record.entries.get(step.name)
            if entry is None or not entry.is_touched:
                record = record.having(step.name, Entry(step.look()))
        self._store.write(record)
        return record

    def _do_all(self, record: Record) -> bool:
        some = False
        for step in self._steps:
            self._refuse_as_host_stops()
            if step.is_done():
                self._say_already([step])
            else:
                record, some = self._do(step, record), True
            if record.entries[step.name].progress is Progress.BEGUN:
                record = self._mark(record, step.name, Progress.DONE)
        if not record.complete:
            self._store.write(replace(record, complete=True))
        return some

    def _refuse_as_host_stops(self) -> None:
        """StepFailed: guestctl sees to its guests, which waits for the end of this."""
        if not self._stays_up():
            raise StepFailed("the host is going down")

    def _do(self, step: Step, record: Record) -> Record:
        record = self._mark(record, step.name, Progress.BEGUN)
        self._say(f"{step.words} …")
        step.do(self._say)
        if not step.is_done():
            raise StepFailed(f"cannot {step.words}: it did not come about")
        return self._mark(record, step.name, Progress.DONE)

    def _mark(self, record: Record, name: str, progress: Progress) -> Record:
        record = record.having(name, replace(record.entries[name], progress=progress))
        self._store.write(record)
        return record

    def _say_already(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._say(f"{step.words}: already so")

    def would_take_over(self) -> bool:
        """Whether there is something to do; it is shown, and nothing is touched."""
        todo = [step for step in self._steps if not step.is_done()]
        for step in self._steps:
            self._say(f"would {step.words}" if step in todo else f"{step.words}: already so")
        return bool(todo)

    # Back

    def _undo_all(self, why: str) -> str:
        """What is said of it; RequestError where something could not be undone."""
        if not self._stays_up():
            return "; the host is going down: ask again after the next boot, and it goes on"
        self._say(f"undoing it: {why}")
        record = self._store.read()
        touched = record.entries.items() if record else ()
        names = [name for name, entry in touched if entry.is_touched]
        try:
            self._back([step for step in self._steps if step.name in names], for_good=False)
        except TROUBLE as error:
            text = f"{why}; and {in_words(error)}"
            raise RequestError(Failure.NOT_ALL_WELL, text) from error
        return "; what was done until then was undone"

    def hand_back(self) -> bool:
        """Whether there was something to do.  RequestError where something could not be undone."""
        record = self._store.read()
        steps = self._to_go_back(record)
        if record is not None and record.complete:
            self._write_if_there_is_room(replace(record, complete=False))
        self._back(steps, for_good=True)
        return bool(steps)

    def would_hand_back(self) -> bool:
        """Whether there is something to do; it is shown, and nothing is touched."""
        steps = self._to_go_back(self._store.read())
        for step in reversed(steps):
            if step.back:
                self._say(f"would {step.back}")
        return bool(steps)

    def _to_go_back(self, record: Record | None) -> list[Step]:
        return [step for step in self._steps if self._goes_back(step, record)]

    def _goes_back(self, step: Step, record: Record | None) -> bool:
        entry = record.entries.get(step.name) if record else None
        if entry and entry.is_touched:  # it may be undone in part
            return True
        asked = record is None or step.hand_back is not None
        return asked and not step.back_already(entry.before if entry else None)

    def _back(self, steps: Sequence[Step], *, for_good: bool) -> None:
        """Newest first.  Where one cannot be undone, those before it are left as they are: guestctl
        goes last, and is there as long as nobody else is."""
        for step in reversed(steps):
            try:
                self._refuse_as_host_stops()
                if step.back:
                    self._say(f"{step.back} …")
                self._back_one(step, for_good)
            except TROUBLE as error:
                text = f"{in_words(error)}; `guestctl handback` goes on once that is mended"
                raise RequestError(Failure.NOT_ALL_WELL, text) from error
        self._store.remove()

    def _back_one(self, step: Step, for_good: bool) -> None:
        record = self._store.read()
        entry = record.entries.get(step.name) if record else None
        _undo(step, entry.before if entry else None, self._say, for_good)
        if record and entry:
            entry = replace(entry, progress=Progress.NOT_BEGUN)
            self._write_if_there_is_room(record.having(step.name, entry))

    def _write_if_there_is_room(self, record: Record) -> None:
        """A full disk keeps nothing from being undone, and it can be again."""
        with contextlib.suppress(RequestError):
            self._store.write(record)


def _undo(step: Step, before: Before | None, say: Say, for_good: bool) -> None:
    undo = step.hand_back if for_good and step.hand_back else step.undo
    undo(before, say)
