"""Stops that the host's own end explains, if it comes soon enough ([shutdown] settle)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..decisions.wanted import desired
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.record import GuestRecord, Wanted
from ..model.stop import StoppedBy

SOURCE = "guestctl:settle"


def host_goes_down(ledger: Ledger, boot: str) -> None:
    """Guests that somebody stopped just before come back: it was the host's doing."""
    for known in ledger.unsettled(boot):
        if known.wanted is Wanted.OFF:
            ledger.was_hosts_doing(known.id)
            text = "it comes back: the host went down just after its stop"
            ledger.trail.add(known.id, SOURCE, text)


def host_stays_up_after_all(ledger: Ledger, boot: str) -> None:
    """The shutdown was cancelled: those guests were stopped by somebody, and stay down."""
    for known in ledger.unsettled(boot):
        if known.wanted is Wanted.ON and known.taken_down:
            ledger.was_not_hosts_doing(known.id)
            ledger.trail.add(known.id, SOURCE, "it stays down: the host did not go down after all")


def stopped_at_the_door(
    ledger: Ledger, seen: Iterable[GuestFacts], up: Collection[GuestId], boot: str
) -> None:
    """The same for guests that were up when the host began to go down, and were then found off.

    Nobody but the run has noticed their stops yet.
    """
    for guest in seen:
        known = ledger.guest(guest.id)
        found = desired(known, guest, boot)
        if found.verdict is None or found.wanted is Wanted.ON or guest.id not in up:
            continue
        if found.stopped_by is not StoppedBy.MOVED:
            # Should the shutdown be cancelled, it was somebody's doing after all.
            ledger.judge(guest, found.wanted, found.verdict)
            ledger.unsettle(guest.id, boot)
            ledger.was_hosts_doing(guest.id)
            ledger.trail.add(guest.id, SOURCE, "it comes back: it stopped as the host went down")


def host_stayed_up(ledger: Ledger, known: GuestRecord) -> None:
    """The settle time is over: whoever stopped the guest meant it."""
    now = ledger.guest(known.id)
    if now and (now.unsettled, now.stopped_at) == (known.unsettled, known.stopped_at):
        if now.wanted is Wanted.ON and now.taken_down:
            # A shutdown that is cancelled, and whose run is just being ended, had made it so.
            ledger.was_not_hosts_doing(known.id)
        ledger.settle(known.id)


def settle_old(ledger: Ledger, boot: str, settle: float, now: int) -> None:
    """The same for all stops that are older; settle in seconds, now in nanoseconds.

    For when nobody was there at the right time: goes by the time of day.
    """
    for known in ledger.unsettled(boot):
        if remaining(known, settle, now) <= 0:
            ledger.settle(known.id)


def remaining(known: GuestRecord, settle: float, now: int) -> float:
    """Seconds until a stop is settled; all of them when the clock was set back since."""
    since = (now - (known.stopped_at or 0)) / 1e9
    return settle - max(0.0, since)
