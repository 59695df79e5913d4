"""Promises about profiles: the settings in force are those of one profile, and of no other.

Each function yields what is wrong with one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guestctl.config.config import Config
from guestctl.decisions.unremembered import why_left_up
from guestctl.model.guest import GuestFacts
from guestctl.model.options import Scope
from guestctl.model.plan import GuestPlan, RunKind, Step
from guestctl.model.report import StepBegan, StepEnded
from guestctl.runs.take_down import CROWDED

from .case import Case
from .in_force import of_guest, of_host, profile_of

DOWN_STEPS = (Step.SAVE, Step.SHUTDOWN, Step.POWEROFF)


def steps_are_those_of_the_profile(case: Case) -> Iterator[str]:
    """Each guest has the steps, and the time for each, that its settings in force give it."""
    for plan in _plans(case):
        if not _is_left_up(case, plan):
            yield from misjudged(case.script.config, profile_of(case.command), case.kind, plan)


def _is_left_up(case: Case, plan: GuestPlan) -> bool:
    """Whether it is one that has no steps since nobody would remember them."""
    reasons = [why_left_up(case.kind, sheds=sheds) for sheds in (False, True)]
    return plan.reason in reasons and not plan.steps and not case.ledger_worked


def misjudged(config: Config, profile: str, kind: RunKind, plan: GuestPlan) -> Iterator[str]:
    """What a plan has that these settings do not give, or has not and they do."""
    if not (plan.steps or plan.left_out):
        return  # it is down, or nothing is known of it
    guest, settings = plan.guest, of_guest(config, profile, plan.guest)
    planned, left_out = {it.step: it.timeout for it in plan.steps}, dict(plan.left_out)
    whose = f"{guest.name} under {profile or 'no profile'}"
    for step in DOWN_STEPS:
        if step in planned and not _is_given(step, kind, guest, settings):
            yield f"{whose} gets a {step}, which is not for it"
        if step in planned and planned[step] != settings.get(f"{step}_timeout", 60.0):
            yield f"{whose} gets {planned[step]:g} s for a {step}"
        if step not in planned and _is_missed(left_out[step], step, guest, settings):
            yield f"{whose} gets no {step}: {left_out[step]}"


def _is_given(step: Step, kind: RunKind, guest: GuestFacts, settings: dict[str, Any]) -> bool:
    if step is Step.SAVE and (kind is RunKind.SHUTDOWN or not _may_be_saved(guest, settings)):
        return False
    return _is_for(settings[step], guest)


def _may_be_saved(guest: GuestFacts, settings: dict[str, Any]) -> bool:
    """Who is started by another program is saved only where somebody says so for that guest."""
    elsewhere = guest.info.manager or settings["managed_elsewhere"]
    return guest.persistent and (not elsewhere or "save" in settings["told"])


def _is_missed(why: str, step: Step, guest: GuestFacts, settings: dict[str, Any]) -> bool:
    """Whether it is left out because of settings, and not by these."""
    if "may boot it anew" in why:
        return "save" in settings["told"]
    return why.startswith("policy has") and _is_for(settings[step], guest)


def _is_for(scope: Scope, guest: GuestFacts) -> bool:
    whom = {Scope.ALL: True, Scope.NONE: False, Scope.PERSISTENT: guest.persistent}
    return whom.get(scope, not guest.persistent)


def steps_keep_their_limits(case: Case) -> Iterator[str]:
    """No step has more time than its settings give, and no guest is asked in another way."""
    settings = {
        plan.guest.name: of_guest(case.script.config, profile_of(case.command), plan.guest)
        for plan in _plans(case)
    }
    for _, name, step, timeout in case.done.report.begun:
        most = settings[name].get(f"{step}_timeout", 60.0) if step in DOWN_STEPS else timeout
        if timeout > most:
            yield f"{name} gets {timeout:g} s of {most:g} s for a {step}"
    for call in case.calls:
        how = call.name.removeprefix("request_shutdown ")
        if how != call.name and how not in settings[call.guest]["methods"]:
            yield f"{call.guest} is asked by {how}"


def saves_keep_their_number(case: Case) -> Iterator[str]:
    """No more at a time than the profile says."""
    most = of_host(case.script.config, profile_of(case.command))["parallel"]
    saving = set()
    for _, event in case.done.report.events:
        match event:
            case StepBegan(guest, Step.SAVE):
                saving.add(guest.id)
            case StepEnded(guest):
                saving.discard(guest.id)
        if len(saving) > most:
            yield f"{len(saving)} are saved at a time, not {most}"
            return


def shutdowns_keep_their_number(case: Case) -> Iterator[str]:
    """No more at a time than the profile says, but for those whose trail says why."""
    most = of_host(case.script.config, profile_of(case.command))["parallel_shutdowns"]
    news = case.host.ledger.trail.since(case.was.trail)
    crowded = {it.guest for it in news if it.entry.reason == CROWDED}
    shutting_down = set()
    for _, event in case.done.report.events if most and case.ledger_worked else ():
        match event:
            case StepBegan(guest, Step.SHUTDOWN):
                shutting_down.add(guest.id)
                if len(shutting_down) > most and guest.id not in crowded:
                    yield f"{guest.name} shuts down beside {len(shutting_down) - 1}, not {most}"
                    return
            case StepEnded(guest):
                shutting_down.discard(guest.id)


def _plans(case: Case) -> list[GuestPlan]:
    """Of a run that takes guests down."""
    if case.kind is RunKind.RESTORE:
        return []
    report = case.done.report
    begun = [plan for _, run, _ in report.plans for plan in run.guests]
    return begun + [plan for _, plan in report.added]
