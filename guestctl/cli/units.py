"""What the units beside the service run.

guestctl unit guard        guestctl-guard.service, as it stops
guestctl unit fallback     guestctl-fallback.service
guestctl unit autostart    guestctl-autostart.service
guestctl unit probe        guestctl-probe.service, started by its socket
guestctl unit reload       guestctl.service, before it is sent its signal
guestctl unit doctor       guestctl.service, once a day
"""

from __future__ import annotations

from argparse import Namespace

from ..control.configured import load_config
from ..control.local import Local, open_local
from ..model.result import RunResult
from ..service import probe, units
from .act import take_signals
from .display import Display
from .exits import Exit, complain
from .results import print_result
from .screen import choose_display
from .sources import config_file, connect
from .text import emit


def unit_verb(arguments: Namespace) -> int:
    """`unit NAME`."""
    if arguments.job == "reload":
        load_config(config_file(arguments), complain, strict=True)
        return Exit.OK
    if arguments.job == "probe":
        if not probe.serve():
            complain("started by guestctl-probe.socket only: no socket was handed over")
            return Exit.WRONG_REQUEST
        return Exit.OK
    if arguments.job == "doctor":
        from ..control.doctor.examining import examine_for_service  # of no use to the other units

        examine_for_service(config_file(arguments), connect(arguments))
        return Exit.OK
    with units.configured(config_file(arguments), connect(arguments)) as config:
        if arguments.job == "autostart":
            units.claim_autostart(config.general.uris)
            return Exit.OK
        local = open_local(config, connect(arguments), complain)
        take_signals()
        with choose_display(arguments) as display:
            result = _JOBS[arguments.job](local, display)
        if result is None:
            return Exit.OK
        for uri, reason in result.lost.items():
            complain(f"cannot read the guests of {uri}: {reason}; they stay wanted as they were")
        print_result(result, arguments)
        return Exit.OK if result.ok else Exit.NOT_ALL_WELL


def _guard(local: Local, display: Display) -> RunResult | None:
    if not units.does_host_stop(complain):
        emit("the host is not going down: nothing is done to its guests\n")
        return None
    local.refuse_to_act()
    result = units.guard(local, display, follows_progress=display.follows_progress)
    if result is None:
        emit("the service has taken every guest to safety: nothing is left to do\n")
    return result


def _fallback(local: Local, display: Display) -> RunResult | None:
    if units.owes_nothing(local):
        emit("the guests of this boot were brought back already, or it began without guestctl\n")
        return None
    local.refuse_to_act()
    return units.fallback(local, display, follows_progress=display.follows_progress)


_JOBS = {"guard": _guard, "fallback": _fallback}
