"""`takeover`: guestctl is in charge of this host's guests from now on, and nobody beside it."""

from __future__ import annotations

from collections.abc import Iterable

from ...config.last_good import Loaded
from ...decisions.check import AtTakeover
from ...decisions.doctor import CHECKS
from ...model.finding import Finding, Severity
from ..doctor.examining import doctor
from ..failure import Failure, RequestError
from ..local import open_local
from . import rival
from .auto_shutdown import refuse_in_a_save
from .auto_shutdown import step as switch
from .frame import (
    alone,
    no_run_begins,
    refuse_in_a_run,
    refuse_unless_root,
    refuse_while_host_stops,
    stays_up,
    steps,
)
from .interrupts import Interrupts
from .record import Store
from .runner import Runner
from .step import Say

VERB = "take over"


def take_over(loaded: Loaded, say: Say, *, dry_run: bool, force: bool) -> bool:
    """Whether there was something to do.

    say: shows what is done.  dry_run: only what would be.  force: whatever the doctor finds.
    RequestError, Interrupted: nothing was changed, or it was undone; else what is left is said.
    """
    refuse_unless_root(VERB)
    with alone(VERB):
        refuse_while_host_stops(VERB)
        refuse_in_a_run(VERB)
        interrupts = Interrupts()
        interrupts.take()
        refusal = _refusal(loaded, say, force=force)
        if refusal is not None and not dry_run:
            raise refusal
        rival.refuse_if_busy(VERB)
        local = open_local(loaded.config, None, say)
        if not switch(local).is_done():
            refuse_in_a_save(local, VERB)
        runner = Runner(steps(local), Store(), say, interrupts, stays_up)
        some = runner.would_take_over() if dry_run else _done(runner)
        if refusal is not None:
            raise refusal
        return some


def _done(runner: Runner) -> bool:
    with no_run_begins(VERB):
        return runner.take_over()


def _refusal(loaded: Loaded, say: Say, *, force: bool) -> RequestError | None:
    """For errors of the doctor's that stay, all of which are shown; None where they may."""
    errors = list(_that_stay(doctor(loaded, None, hosts_files=True).findings))
    for finding in errors:
        _show(finding, say)
    if force or not any(_means(finding) is AtTakeover.ENDS for finding in errors):
        return None
    text = f"cannot {VERB}: the doctor finds what guests would be lost by, see above"
    hint = "mend that and ask again, or say --force; nothing was touched"
    return RequestError(Failure.NOT_ALL_WELL, f"{text}; {hint}")


def _show(finding: Finding, say: Say) -> None:
    whom = f"{finding.name}: " if finding.name else ""
    say(f"{finding.severity}: {whom}{finding.text} ({finding.check})")
    if finding.command:
        say(f"  -> {finding.command}")


def _that_stay(found: Iterable[Finding]) -> Iterable[Finding]:
    for finding in found:
        if finding.severity is Severity.ERROR and _means(finding) is not AtTakeover.MENDED:
            yield finding


def _means(finding: Finding) -> AtTakeover:
    """What could not be looked at is of no check, and ends it as well."""
    known = (check.at_takeover for check in CHECKS if check.name == finding.check)
    return next(known, AtTakeover.ENDS)
