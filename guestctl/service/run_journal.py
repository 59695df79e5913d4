"""What a run tells, as lines with fields in the journal."""

from __future__ import annotations

import logging

from ..model.guest import GuestFacts
from ..model.plan import Plan, RunKind, describe, is_bad
from ..model.report import (
    GuestAdded,
    GuestEnded,
    RunBegan,
    RunEnded,
    RunEvent,
    StepBegan,
    StepEnded,
    Trouble,
    count_of_guests,
)
from ..model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from .log_fields import OUTCOME, REASON, RUN, RUN_KIND, STEP, TRIGGER, URI, of_guest

logger = logging.getLogger(__name__)


class RunJournal:
    """Listens to runs, one after another."""

    def __init__(self) -> None:
        #: What every line of the run under way is about.
        self._about: dict[str, object] = {}
        self._kind = RunKind.PRESERVE

    def __call__(self, event: RunEvent) -> None:
        """Log it."""
        match event:
            case RunBegan(plan, trigger, run):
                self._began(plan, trigger, run)
            case GuestAdded(plan):
                self._guest(plan.guest, f"came up meanwhile: {describe(plan)}")
            case StepBegan(guest, step, timeout):
                self._guest(guest, f"{step} begins, at most {timeout:.0f} s", {STEP: step})
            case StepEnded(guest, result):
                self._step_ended(guest, result)
            case GuestEnded(result):
                self._guest_ended(result)
            case RunEnded(result):
                self._ended(result)
            case Trouble(message):
                logger.warning(message)

    def _began(self, plan: Plan, trigger: Trigger, run: int | None) -> None:
        self._kind = plan.kind
        self._about = {RUN: run, RUN_KIND: plan.kind, TRIGGER: trigger}
        text = f"{plan.kind} of {count_of_guests(len(plan.guests))} begins ({trigger})"
        logger.info(text, extra=self._about)
        for guest in plan.guests:
            self._guest(guest.guest, describe(guest))

    def _step_ended(self, guest: GuestFacts, result: StepResult) -> None:
        failed = result.end is not StepEnd.DONE
        why = f": {result.reason}" if result.reason else ""
        text = f"{result.step} {result.end} after {result.seconds:.1f} s{why}"
        level = logging.WARNING if failed else logging.INFO
        self._guest(guest, text, {STEP: result.step, REASON: result.reason}, level)

    def _guest_ended(self, result: GuestResult) -> None:
        why = f": {result.reason}" if result.reason else ""
        about = {OUTCOME: result.outcome, REASON: result.reason}
        logger.log(
            logging.ERROR if is_bad(self._kind, result.outcome) else logging.INFO,
            f"{result.name}: {result.outcome}{why}",
            extra=self._about | of_guest(result.name, result.guest) | about,
        )

    def _ended(self, result: RunResult) -> None:
        for uri, reason in result.lost.items():
            text = f"cannot read the guests of {uri}: {reason}; they stay wanted as they were"
            logger.error(text, extra=self._about | {URI: uri, REASON: reason})
        end = "ended well" if result.ok else "ended, and not all is well"
        logger.info(f"{result.kind} {end}", extra=self._about)

    def _guest(
        self,
        guest: GuestFacts,
        text: str,
        about: dict[str, object] | None = None,
        level: int = logging.INFO,
    ) -> None:
        fields = self._about | of_guest(guest.name, guest.id) | (about or {})
        logger.log(level, f"{guest.name}: {text}", extra=fields)
