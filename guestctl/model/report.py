"""Reports of ports.py: the base of all, several in one; words that they share."""

from __future__ import annotations

from collections.abc import Sequence

from .guest import GuestFacts
from .plan import GuestPlan, Plan, Step
from .ports import Report
from .result import GuestResult, StepResult, Trigger


class Silent:
    """Shows nothing; the base of other reports."""

    @property
    def follows_progress(self) -> bool:
        """See Report, as for the methods below."""
        return False

    def run_begins(self, plan: Plan, trigger: Trigger) -> None: ...

    def guest_added(self, plan: GuestPlan) -> None: ...

    def gets_ready(self, guest: GuestFacts, timeout: float) -> None: ...

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None: ...

    def progress(self, guest: GuestFacts, fraction: float | None, note: str) -> None: ...

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None: ...

    def guest_ends(self, result: GuestResult) -> None: ...

    def trouble(self, message: str) -> None: ...


class Several(Silent):
    """Hands everything on to each of some reports."""

    def __init__(self, *reports: Report) -> None:
        self._reports = reports

    @property
    def follows_progress(self) -> bool:
        return any(report.follows_progress for report in self._reports)

    def run_begins(self, plan: Plan, trigger: Trigger) -> None:
        for report in self._reports:
            report.run_begins(plan, trigger)

    def guest_added(self, plan: GuestPlan) -> None:
        for report in self._reports:
            report.guest_added(plan)

    def gets_ready(self, guest: GuestFacts, timeout: float) -> None:
        for report in self._reports:
            report.gets_ready(guest, timeout)

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        for report in self._reports:
            report.step_begins(guest, step, timeout)

    def progress(self, guest: GuestFacts, fraction: float | None, note: str) -> None:
        for report in self._reports:
            report.progress(guest, fraction, note)

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None:
        for report in self._reports:
            report.step_ends(guest, result)

    def guest_ends(self, result: GuestResult) -> None:
        for report in self._reports:
            report.guest_ends(result)

    def trouble(self, message: str) -> None:
        for report in self._reports:
            report.trouble(message)


def count_of_guests(number: int) -> str:
    """As in "1 guest" and "2 guests"."""
    return f"{number} guest" if number == 1 else f"{number} guests"


def names(guests: Sequence[str], most: int = 3) -> str:
    """A few of them, for one line of status."""
    shown = ", ".join(guests[:most])
    return f"{shown} and {len(guests) - most} more" if len(guests) > most else shown
