"""What runs and commands tell, as lines with fields in the journal.

Two lines for a guest with which all goes well: what is planned, and what became of it.
"""

from __future__ import annotations

import logging

from ..model.guest import GuestFacts, GuestId
from ..model.history import Actor
from ..model.plan import GuestPlan, Plan, RunKind, Step, describe
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
from ..model.units import show_limit
from .log_fields import OUTCOME, REASON, RUN, RUN_KIND, STEP, TRIGGER, URI, of_actor, of_guest

logger = logging.getLogger(__name__)


class RunJournal:
    """Listens to runs, one after another; actor: whose command they are."""

    def __init__(self, actor: Actor | None = None) -> None:
        self._actor = actor
        #: Of each guest, the step that its line of the plan has said already.
        self._first: dict[GuestId, Step] = {}
        #: What every line of the run under way is about.
        self._about: dict[str, object] = {}
        self._kind = RunKind.PRESERVE

    def __call__(self, event: RunEvent) -> None:
        """Log it."""
        match event:
            case RunBegan(plan, trigger, run):
                self._began(plan, trigger, run)
            case GuestAdded(plan):
                self._planned(plan, "came up meanwhile: ")
            case StepBegan(guest, step, timeout):
                self._step_began(guest, step, timeout)
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
        who = f", {self._actor}" if self._actor else ""
        text = f"{plan.kind} of {count_of_guests(len(plan.guests))} begins ({trigger}{who})"
        logger.info(text, extra=self._about | of_actor(self._actor))
        for guest in plan.guests:
            self._planned(guest, "")

    def _planned(self, plan: GuestPlan, how: str) -> None:
        if plan.steps:
            self._first[plan.guest.id] = plan.steps[0].step
        self._guest(plan.guest, f"{how}{describe(plan)}")

    def _step_began(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        if self._first.pop(guest.id, None) is not step:
            self._guest(guest, f"{step} begins, at most {show_limit(timeout)}", {STEP: step})

    def _step_ended(self, guest: GuestFacts, result: StepResult) -> None:
        if result.end is StepEnd.DONE and not result.reason:
            return  # the guest's own end follows
        why = f": {result.reason}" if result.reason else ""
        text = f"{result.step} {result.end} after {result.seconds:.1f} s{why}"
        level = logging.INFO if result.end is StepEnd.DONE else logging.WARNING
        self._guest(guest, text, {STEP: result.step, REASON: result.reason}, level)

    def _guest_ended(self, result: GuestResult) -> None:
        took = f" after {result.seconds:.1f} s" if result.steps else ""
        why = f": {result.why}" if result.why else ""
        about = {OUTCOME: result.outcome, REASON: result.why}
        logger.log(
            logging.ERROR if result.is_bad(self._kind) else logging.INFO,
            f"{result.name}: {result.outcome}{took}{why}",
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
