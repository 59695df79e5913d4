"""What `list` and `plan --boot` show: facts and ledger side by side.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..model.guest import GuestFacts, GuestId, State
from ..model.plan import NextBoot, RunKind
from ..model.record import GuestRecord, Wanted
from ..model.stop import Certainty, How, StoppedBy
from .plan import Policies, belongs_to, plan_guest_down
from .policy import Policy
from .wanted import desired, hold_of, next_boot


@dataclass(frozen=True)
class Row:
    """One guest; see the command contract in docs/commands.md for the fields."""

    name: str
    uuid: str
    uri: str
    state: State
    saved: bool
    wanted: Wanted
    stopped_by: StoppedBy | None
    stopped_at: int | None
    stopped_how: How | None
    certainty: Certainty | None
    autostart: bool
    held: str | None
    next_boot: NextBoot
    reason: str


_NOTHING = GuestRecord(GuestId("", ""), "")


def rows(
    guests: Iterable[GuestFacts],
    known: Mapping[GuestId, GuestRecord],
    policies: Policies,
    boot: str,
    *,
    owned: bool,
) -> list[Row]:
    """The guests that could be read, by name; owned: whether guestctl does libvirt's autostart."""
    made = [_row(guest, known.get(guest.id), policies(guest), boot, owned) for guest in guests]
    return sorted(made, key=lambda row: (row.name, row.uri, row.uuid))


def _row(
    guest: GuestFacts, known: GuestRecord | None, policy: Policy, boot: str, owned: bool
) -> Row:
    found = desired(known, guest, boot)
    said = known if known and not guest.up else _NOTHING
    return Row(
        name=guest.name,
        uuid=guest.id.uuid,
        uri=guest.id.uri,
        state=guest.state,
        saved=guest.saved,
        wanted=found.wanted,
        stopped_by=found.stopped_by,
        stopped_at=said.stopped_at,
        stopped_how=found.verdict.how if found.verdict else said.how,
        certainty=found.verdict.certainty if found.verdict else said.certainty,
        autostart=guest.autostart,
        held=hold_of(known, guest),
        next_boot=next_boot(
            known,
            guest,
            boot,
            restore=policy.boot.restore,
            saves=_would_be_saved(guest, policy),
            owned=owned,
            elsewhere=bool(belongs_to(guest, policy)),
            action=policy.user_shutdown.action,
        ),
        reason=found.reason,
    )


def _would_be_saved(guest: GuestFacts, policy: Policy) -> bool:
    return plan_guest_down(RunKind.PRESERVE, guest, policy).saves


def unreadable(known: Iterable[GuestRecord], uris: Iterable[str]) -> list[Row]:
    """Rows for what the ledger knows of connections that could not be read."""
    lost = set(uris)
    return [_unknown(guest) for guest in known if guest.id.uri in lost and _matters(guest)]


def _matters(known: GuestRecord) -> bool:
    return known.wanted is not None or known.hold is not None


def _unknown(known: GuestRecord) -> Row:
    on = known.wanted is Wanted.ON
    ending = (
        NextBoot.HELD if known.hold is not None else NextBoot.START if on else NextBoot.STAY_DOWN
    )
    return Row(
        name=known.name,
        uuid=known.id.uuid,
        uri=known.id.uri,
        state=State.UNKNOWN,
        saved=False,
        wanted=Wanted.ON if on else Wanted.OFF,
        stopped_by=known.stopped_by,
        stopped_at=known.stopped_at,
        stopped_how=known.how,
        certainty=known.certainty,
        autostart=False,
        held=known.hold,
        next_boot=ending,
        reason="its connection could not be read",
    )
