"""The Report of the service: what a run does, in the journal."""

from __future__ import annotations

from ..decisions.plan import describe
from ..host import journal
from ..model.guest import GuestFacts
from ..model.plan import GuestPlan, Plan, RunKind, Step, is_bad
from ..model.report import Silent, count_of_guests
from ..model.result import GuestResult, StepEnd, StepResult, Trigger


class Journal(Silent):
    """A line with fields in the journal for each thing that happens."""

    def __init__(self) -> None:
        self._kind = RunKind.PRESERVE

    def run_begins(self, plan: Plan, trigger: Trigger) -> None:
        self._kind = plan.kind
        text = f"{plan.kind} of {count_of_guests(len(plan.guests))} begins ({trigger})"
        journal.log(text, run_kind=plan.kind, trigger=trigger)
        for guest in plan.guests:
            self._guest(guest.guest, describe(guest))

    def guest_added(self, plan: GuestPlan) -> None:
        self._guest(plan.guest, f"came up meanwhile: {describe(plan)}")

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        self._guest(guest, f"{step} begins, at most {timeout:.0f} s", step=step)

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None:
        failed = result.end is not StepEnd.DONE
        why = f": {result.reason}" if result.reason else ""
        text = f"{result.step} {result.end} after {result.seconds:.1f} s{why}"
        priority = journal.Priority.WARNING if failed else journal.Priority.INFO
        self._guest(guest, text, priority, step=result.step, reason=result.reason)

    def guest_ends(self, result: GuestResult) -> None:
        why = f": {result.reason}" if result.reason else ""
        bad = is_bad(self._kind, result.outcome)
        journal.log(
            f"{result.name}: {result.outcome}{why}",
            priority=journal.Priority.ERROR if bad else journal.Priority.INFO,
            guest=result.name,
            uuid=result.guest.uuid,
            uri=result.guest.uri,
            run_kind=self._kind,
            outcome=result.outcome,
            reason=result.reason,
        )

    def trouble(self, message: str) -> None:
        journal.log(message, priority=journal.Priority.WARNING)

    def _guest(
        self,
        guest: GuestFacts,
        text: str,
        priority: journal.Priority = journal.Priority.INFO,
        **fields: str,
    ) -> None:
        journal.log(
            f"{guest.name}: {text}",
            priority=priority,
            guest=guest.name,
            uuid=guest.id.uuid,
            uri=guest.id.uri,
            run_kind=self._kind,
            **fields,
        )
