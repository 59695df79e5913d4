"""The verbs `shed` and `resume`: guests that are down while the host stays up."""

from __future__ import annotations

import time
from argparse import Namespace

from ..control.requests import Down, Up
from ..model.plan import RunKind
from .act import carry_out, status_of
from .options import client_of, seconds_of
from .text import emit


def shed_verb(arguments: Namespace) -> int:
    """`shed [GUEST…]`, `shed --order N`, `shed --profile NAME`."""
    begun = time.monotonic()
    client = client_of(arguments)
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


def resume_verb(arguments: Namespace) -> int:
    """`resume [GUEST…]`."""
    client = client_of(arguments)
    request = Up(arguments.guests, reason=arguments.reason, shed=True)
    result = carry_out(arguments, lambda shown: client.bring_up(request, shown))
    if not (result.guests or arguments.json or arguments.quiet):
        emit("nobody is shed\n")
    return status_of(result)
