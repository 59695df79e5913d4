"""Checks of guest agents: who is to be asked by one that does not answer.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.guest import GuestFacts, State
from ..model.host_state import known
from ..model.options import Method
from ..model.plan import GuestPlan, Step
from ..model.readiness import AgentAnswers
from ..model.text import argument
from .check import Check
from .coming import coming, names
from .host_facts import plan_of
from .host_state import HostState
from .policy import resolve

_CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
_INSTALL = f"Install qemu-guest-agent in the guest; its definition needs `{_CHANNEL}`."


def _silent(state: HostState, methods: tuple[Method, ...]) -> Iterator[GuestPlan]:
    """Plans of guests that run, are asked to shut down by these methods, and to whose agent libvirt
    is not connected."""
    facts = known(state.facts)
    for plan in plan_of(facts).guests:
        asked = any(planned.step is Step.SHUTDOWN for planned in plan.steps)
        runs = plan.guest.state is State.RUNNING and not plan.guest.info.has_agent
        if asked and runs and resolve(facts.config, plan.guest).shutdown.methods == methods:
            yield plan


def _alone(state: HostState) -> Iterator[Finding]:
    for plan in _silent(state, (Method.AGENT,)):
        if not plan.saves:
            text = "is asked to shut down by its guest agent alone, and that does not answer"
            yield _of_guest(state, plan.guest, text)


def _fallback(state: HostState) -> Iterator[Finding]:
    for plan in _silent(state, (Method.AGENT,)):
        if plan.saves:
            text = "should its save fail, its guest agent alone is asked, and that does not answer"
            yield _of_guest(state, plan.guest, text)


def _first(state: HostState) -> Iterator[Finding]:
    guests = [plan.guest for plan in _silent(state, (Method.AGENT, Method.ACPI)) if not plan.saves]
    if guests:
        text = f"no guest agent answers, the ACPI power button is pressed instead: {names(guests)}"
        yield Finding(text, evidence=("libvirt is not connected to an agent in them",))


def _gates(state: HostState) -> Iterator[Finding]:
    facts, needs = known(state.facts), known(state.needs).guests
    for guest in coming(state):
        gated = AgentAnswers() in resolve(facts.config, guest).order.ready
        if gated and guest.id in needs and not needs[guest.id].has_agent_channel:
            text = "is ready once its guest agent answers, and it can have none: it has no channel"
            yield _of_guest(state, guest, text)


def _of_guest(state: HostState, guest: GuestFacts, text: str) -> Finding:
    needs = known(state.needs).guests.get(guest.id)
    has = "a" if needs and needs.has_agent_channel else "no"
    evidence = f"its definition has {has} channel org.qemu.guest_agent.0"
    command = f"virsh -c {shlex.quote(guest.id.uri)} edit {argument(guest.name)}"
    return Finding(text, command, guest.name, guest.id, evidence=(evidence,))


CHECKS = (
    Check(
        "agent-alone",
        Severity.ERROR,
        "an agent answers in guests that are asked to shut down by nothing else",
        "The guest hears no request to shut down: its plug is pulled, or the host's end ends it.",
        f'{_INSTALL} Or have it asked by its power button too: `methods = ["agent", "acpi"]`.',
        _alone,
        cheap=False,
    ),
    Check(
        "agent-gate",
        Severity.WARNING,
        "guests that are ready once their agent answers can have one",
        "The guest is never ready: who comes after it waits in vain, who requires it stays off.",
        f"{_INSTALL} Or give it another rule in `ready`.",
        _gates,
    ),
    Check(
        "agent-fallback",
        Severity.WARNING,
        "an agent answers in guests that nothing else asks, should a save fail",
        "Without a save the guest hears no request to shut down: its plug is pulled.",
        f'{_INSTALL} Or have it asked by its power button too: `methods = ["agent", "acpi"]`.',
        _fallback,
        cheap=False,
    ),
    Check(
        "agent-silent",
        Severity.NOTE,
        "an agent answers where it is the first that is asked",
        "The guest is asked by its power button, which it may ignore.",
        f"Nothing has to be done. {_INSTALL}",
        _first,
        cheap=False,
    ),
)
