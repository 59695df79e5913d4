"""The Report of the service: what a run does, in the journal."""

from __future__ import annotations

import logging

from ..decisions.plan import describe
from ..model.guest import GuestFacts
from ..model.plan import GuestPlan, Plan, RunKind, Step, is_bad
from ..model.report import Silent, count_of_guests
from ..model.result import GuestResult, StepEnd, StepResult, Trigger
from .log_fields import OUTCOME, REASON, RUN_KIND, STEP, TRIGGER, of_guest

logger = logging.getLogger(__name__)


class Journal(Silent):
    """A line with fields in the journal for each thing that happens."""

    def __init__(self) -> None:
        self._kind = RunKind.PRESERVE

    def run_begins(self, plan: Plan, trigger: Trigger) -> None:
        self._kind = plan.kind
        text = f"{plan.kind} of {count_of_guests(len(plan.guests))} begins ({trigger})"
        logger.info(text, extra={RUN_KIND: plan.kind, TRIGGER: trigger})
        for guest in plan.guests:
            self._guest(guest.guest, describe(guest))

    def guest_added(self, plan: GuestPlan) -> None:
        self._guest(plan.guest, f"came up meanwhile: {describe(plan)}")

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        self._guest(guest, f"{step} begins, at most {timeout:.0f} s", {STEP: step})

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None:
        failed = result.end is not StepEnd.DONE
        why = f": {result.reason}" if result.reason else ""
        text = f"{result.step} {result.end} after {result.seconds:.1f} s{why}"
        level = logging.WARNING if failed else logging.INFO
        self._guest(guest, text, {STEP: result.step, REASON: result.reason}, level)

    def guest_ends(self, result: GuestResult) -> None:
        why = f": {result.reason}" if result.reason else ""
        about = {RUN_KIND: self._kind, OUTCOME: result.outcome, REASON: result.reason}
        logger.log(
            logging.ERROR if is_bad(self._kind, result.outcome) else logging.INFO,
            f"{result.name}: {result.outcome}{why}",
            extra=of_guest(result.name, result.guest) | about,
        )

    def trouble(self, message: str) -> None:
        logger.warning(message)

    def _guest(
        self,
        guest: GuestFacts,
        text: str,
        about: dict[str, str] | None = None,
        level: int = logging.INFO,
    ) -> None:
        fields = of_guest(guest.name, guest.id) | {RUN_KIND: self._kind} | (about or {})
        logger.log(level, f"{guest.name}: {text}", extra=fields)
