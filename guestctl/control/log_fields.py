"""What a line of the service's log can be about: the journal's fields, by which it is found.

logger.info("web: saved", extra={GUEST: "web", STEP: "save"})
"""

from __future__ import annotations

from ..model.guest import GuestId
from ..model.history import Actor

#: A guest's name, its UUID, and the libvirt connection that has it.
GUEST, UUID, URI = "GUESTCTL_GUEST", "GUESTCTL_UUID", "GUESTCTL_URI"
#: A run's number in the ledger, as `guestctl history` has it; its kind; what began it.
RUN, RUN_KIND, TRIGGER = "GUESTCTL_RUN", "GUESTCTL_RUN_KIND", "GUESTCTL_TRIGGER"
#: Who asked for it, and the command line.
USER, COMMAND = "GUESTCTL_USER", "GUESTCTL_COMMAND"
#: What is done to a guest, what became of it, and why.
STEP, OUTCOME, REASON = "GUESTCTL_STEP", "GUESTCTL_OUTCOME", "GUESTCTL_REASON"


def of_guest(name: str, guest: GuestId) -> dict[str, str]:
    """The fields that say which guest a line is about."""
    return {GUEST: name, UUID: guest.uuid, URI: guest.uri}


def of_actor(actor: Actor | None) -> dict[str, object]:
    """The fields that say whose command a line is about."""
    return {USER: actor.user, COMMAND: actor.command} if actor else {}
