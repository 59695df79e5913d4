"""The run of a service that was switched on in the midst of a boot: nobody is started."""

from __future__ import annotations

from functools import partial

from ..config.config import Config
from ..decisions.wanted import AS_FOUND, is_left_off
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts
from ..model.plan import GuestPlan, Outcome, Plan, RunKind
from ..model.report import GuestEnded, RunBegan
from ..model.result import GuestResult, RunResult, Trigger
from .context import Context, Inventory
from .reconcile import Records, take_notice, without
from .run import Run, deadline_of


async def leave_as_found(context: Context, config: Config, inventory: Inventory) -> RunResult:
    """Take what is up, and what is off, for what is wanted; name who was wanted on and is off.

    It ends what this boot owes: a service that is restarted later in it starts nobody either.
    """
    uris = frozenset(context.hypervisors)
    records, loss = await take_notice(context, inventory.guests, uris)
    inventory = without(inventory, loss)
    plan = Plan(RunKind.RESTORE, tuple(_left_off(context, inventory, records)))
    number = await context.ledger(partial(_begin, context), None)
    ends = deadline_of(config, None)
    run = Run(context, config, RunKind.RESTORE, Trigger.SWITCHED_ON, number, ends)
    context.tell(RunBegan(plan, run.trigger, number))
    results = [_result(left) for left in plan.guests]
    await context.ledger(partial(_record, run, results), None)
    for result in results:
        context.tell(GuestEnded(result))
    return await run.end(results, inventory.lost_reasons, interrupted=False)


def _left_off(context: Context, inventory: Inventory, records: Records) -> list[GuestPlan]:
    guests = sorted(inventory.guests, key=lambda guest: (guest.name, guest.id))
    left = [g for g in guests if _is_left_off(g, records, context.boot)]
    return [GuestPlan(guest, outcome=Outcome.SKIPPED, reason=AS_FOUND) for guest in left]


def _is_left_off(guest: GuestFacts, records: Records, boot: str) -> bool:
    record = records.get(guest.id)
    return guest.down and record is not None and is_left_off(record, boot)


def _begin(context: Context, ledger: Ledger) -> int:
    return ledger.runs.begin(RunKind.RESTORE, Trigger.SWITCHED_ON, context.boot)


def _result(plan: GuestPlan) -> GuestResult:
    assert plan.outcome is not None
    return GuestResult(plan.guest.id, plan.guest.name, plan.outcome, reason=plan.reason)


def _record(run: Run, results: list[GuestResult], ledger: Ledger) -> None:
    for result in results:
        run.record_end(ledger, result)
