"""Checks of what is wanted of guests, of past runs and of the ledger: what `status` says.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..config.toml import quoted
from ..model.finding import Finding, Severity
from ..model.host_state import known
from . import health
from .check import AtTakeover, Check
from .findings import Of, of_guests, of_run
from .host_facts import matches_of_nobody, rows_of
from .host_state import HostState


def _guests(check: Of) -> Callable[[HostState], Iterator[Finding]]:
    """What this check finds."""

    def find(state: HostState) -> Iterator[Finding]:
        facts = known(state.facts)
        yield from (it for it in of_guests(facts, rows_of(facts)) if it.check == check)

    return find


def _runs(state: HostState) -> Iterator[Finding]:
    facts, ledger = known(state.facts), known(state.ledger)
    rows = rows_of(facts)
    for run, guests in ledger.newest:
        yield from of_run(run, guests, rows, facts.at)


def _unmatched(state: HostState) -> Iterator[Finding]:
    for match in matches_of_nobody(known(state.facts)):
        text = f"no guest is matched by [[guest]] match = {quoted(match)}"
        yield Finding(text, "guestctl check")


def _unreadable(state: HostState) -> Iterator[Finding]:
    facts, ledger = known(state.facts), known(state.ledger)
    yield from health.of_ledger(facts, ledger.path, state.complaints)


def _damaged(state: HostState) -> Iterator[Finding]:
    yield from map(health.of_damaged, known(state.ledger).damaged)


CHECKS = (
    Check(
        Of.HELD,
        Severity.WARNING,
        "no guest is held",
        "The guest does not come up at the next boot, nor by the service.",
        "`guestctl release` it, once what it is held for is over; of one whose save is stale,"
        " `guestctl why` names two ways.",
        _guests(Of.HELD),
    ),
    Check(
        Of.GIVEN_UP,
        Severity.ERROR,
        "no guest was given up in this boot",
        "The guest is off though it is wanted on, and is tried again only when what it needs"
        " comes.",
        "Mend what it could not be started for, and start it.",
        _guests(Of.GIVEN_UP),
        at_takeover=AtTakeover.AS_BEFORE,
    ),
    Check(
        Of.WAITED_FOR,
        Severity.WARNING,
        "no guest is waited for",
        "The guest is off though it is wanted on; it is tried again until `start-retry` is over.",
        "Mend what it could not be started for.",
        _guests(Of.WAITED_FOR),
    ),
    Check(
        Of.OFF_BY_LIBVIRT_GUESTS,
        Severity.WARNING,
        "no guest is off because libvirt-guests took it down",
        "The guest stays off until the next boot.",
        "Start it.",
        _guests(Of.OFF_BY_LIBVIRT_GUESTS),
    ),
    Check(
        Of.NOT_LISTED,
        Severity.WARNING,
        "libvirt lists every guest that is wanted",
        "A guest that is wanted on is not there any more.",
        "`guestctl forget` it, if that is meant; else define it again.",
        _guests(Of.NOT_LISTED),
    ),
    Check(
        Of.UNREADY,
        Severity.WARNING,
        "every guest that is up is ready",
        "What its `ready` asks for did not come in time; guests after it did not wait any longer.",
        "See in the guest why; `guestctl why` says what was waited for.",
        _guests(Of.UNREADY),
    ),
    Check(
        Of.METADATA,
        Severity.WARNING,
        "guests' own settings have no mistake",
        "What is wrong there counts as not given.",
        "Change it with `guestctl policy`.",
        _guests(Of.METADATA),
    ),
    Check(
        "last-runs",
        Severity.WARNING,
        "the newest preserve and the newest restore, of the last week, went well",
        "What went wrong then can go wrong again.",
        "`guestctl why` and `guestctl history` say what it was. The next run that goes well ends"
        " it.",
        _runs,
    ),
    Check(
        "matches-nobody",
        Severity.WARNING,
        "every `[[guest]]` matches a guest",
        "Settings that are meant for a guest are for nobody.",
        "Mend its `match`, or remove it.",
        _unmatched,
    ),
    Check(
        "ledger-unreadable",
        Severity.ERROR,
        "the ledger can be read",
        "Nobody knows which guests are wanted on; at boot those with libvirt's autostart flag"
        " alone are started.",
        "See in the service's journal why: the disk is full, or read-only, or fails.",
        _unreadable,
    ),
    Check(
        "ledger-damaged",
        Severity.WARNING,
        "the ledger was never damaged",
        "What could not be read of it is forgotten: guests may stay off, or holds be gone.",
        "Look at `guestctl list`; then remove the damaged file.",
        _damaged,
    ),
)
