"""Guests that are left up because nobody would remember that they were taken down.  Pure."""

from __future__ import annotations

from dataclasses import replace

from ..model.plan import GuestPlan, Outcome, Plan, RunKind

#: With it a person has them taken down all the same.
OPTION = "--without-ledger"
_UNWRITTEN = "the ledger cannot be written: nobody would know"


def why_left_up(kind: RunKind, *, sheds: bool) -> str:
    """What is said of each of them."""
    what = "to bring it back" if kind is RunKind.PRESERVE else "that it is wanted off"
    hint = "" if sheds else f" (make room where that is, or say {OPTION})"
    return f"{_UNWRITTEN} {what}{hint}"


def as_left_up(plan: Plan, reason: str) -> Plan:
    """The plan where nobody would remember it: a guest that went down then would seem to have been
    turned off by somebody, and no boot, nor `resume`, would bring it back."""
    return replace(plan, guests=tuple(_left_up(one, reason) for one in plan.guests))


def _left_up(plan: GuestPlan, reason: str) -> GuestPlan:
    if plan.outcome is not None:
        return plan
    return replace(plan, steps=(), outcome=Outcome.FAILED, reason=reason)
