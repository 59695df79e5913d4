"""The verbs `shed` and `resume`: guests that are down while the host stays up."""

from __future__ import annotations

import time
from argparse import Namespace

from ..control import queries
from ..control.client import Client
from ..control.requests import Down, Up
from ..model.plan import RunKind, describe
from .act import carry_out, status_of
from .exits import exit_of
from .options import client_of, seconds_of
from .tables import told_apart
from .text import emit, print_json, print_table


def shed_verb(arguments: Namespace) -> int:
    """`shed [GUEST…]`, `shed --order N`, `shed --profile NAME`."""
    begun = time.monotonic()
    client = client_of(arguments)
    if arguments.dry_run:
        return _show(client, arguments)
    request = Down(
        RunKind.PRESERVE,
        arguments.guests,
        begun,
        seconds_of(arguments, client.config),
        arguments.reason,
        arguments.profile,
        sheds=True,
        order=arguments.order,
    )
    return status_of(carry_out(arguments, lambda shown: client.take_down(request, shown)))


def _show(client: Client, arguments: Namespace) -> int:
    from .show import plan_json

    facts = queries.under_profile(client.facts(), arguments.profile)
    facts = queries.within(facts, seconds_of(arguments, facts.config))
    plan = queries.shed_plan(facts, arguments.guests, arguments.order, arguments.profile)
    if arguments.json:
        print_json([plan_json(one) for one in plan.guests])
        return exit_of(queries.incomplete(facts))
    names = told_apart((one.guest.id, one.guest.name) for one in plan.guests)
    lines = [(names[one.guest.id], str(one.guest.state), describe(one)) for one in plan.guests]
    print_table(("NAME", "STATE", "PLAN"), lines, wraps=True)
    return exit_of(queries.incomplete(facts))


def resume_verb(arguments: Namespace) -> int:
    """`resume [GUEST…]`."""
    client = client_of(arguments)
    request = Up(arguments.guests, reason=arguments.reason, shed=True)
    result = carry_out(arguments, lambda shown: client.bring_up(request, shown))
    if not (result.guests or arguments.json or arguments.quiet):
        emit("nobody is shed\n")
    return status_of(result)
