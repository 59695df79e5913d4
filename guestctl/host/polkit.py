"""Whether polkit lets who calls over the bus do something.

A check has a connection to the bus of its own, closed with it: polkit takes its question back from
the user once who asked has left the bus (122 to 128), also where we were killed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from .bus import BusError, SystemBus
from .bus_errors import Standard
from .bus_values import Variant

NAME = "org.freedesktop.PolicyKit1"
PATH = f"/{NAME.replace('.', '/')}/Authority"
AUTHORITY = f"{NAME}.Authority"
#: What polkit must not be asked about: it need not be there for root to act.
ROOT = 0
#: Seconds for an answer, and where the user may be asked for a password.
LIMIT, INTERACTIVE_LIMIT = 5.0, 120.0
_ALLOW_USER_INTERACTION = 1


class Verdict(StrEnum):
    """What came of a check.  CHALLENGE: yes, once an administrator has authenticated.  UNKNOWN:
    nobody could say; nothing is done then, and reading is refused as well."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    CHALLENGE = "challenge"
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """text: for the caller where it is not allowed: why, and who may."""

    verdict: Verdict
    text: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the caller may."""
        return self.verdict is Verdict.ALLOWED

    @property
    def error(self) -> str:
        """The D-Bus error of a call that is not allowed."""
        is_challenge = self.verdict is Verdict.CHALLENGE
        return Standard.INTERACTIVE_REQUIRED if is_challenge else Standard.ACCESS_DENIED


ALLOWED = Answer(Verdict.ALLOWED)


async def may(
    uid: int, caller: str, action: str, *, interactive: bool, starts: bool, address: str = ""
) -> Answer:
    """The same as `authorization`, but for root, who may whatever it is."""
    if uid == ROOT:
        return ALLOWED
    options = {"interactive": interactive, "starts": starts}
    return await authorization(caller, action, **options, address=address)


async def authorization(
    caller: str, action: str, *, interactive: bool, starts: bool, address: str = ""
) -> Answer:
    """What polkit says of the owner of a unique name.

    interactive: whether it may ask the user for a password, which can take two minutes; else it
    takes 5 s at most.  starts: whether the bus may start polkit; never while the host goes down,
    since that can cancel the shutdown (see `bus`).  address: of a bus, if not the system's.
    """
    try:
        allowed, challenge = await _ask(
            caller, action, interactive=interactive, starts=starts, address=address
        )
    except BusError as error:
        return Answer(Verdict.UNKNOWN, _nobody_says(action, str(error).rstrip(".")))
    if allowed:
        return ALLOWED
    if challenge:
        return Answer(Verdict.CHALLENGE, _challenged(action, interactive=interactive))
    return Answer(Verdict.REFUSED, _refused(action, interactive=interactive))


async def _ask(
    caller: str, action: str, *, interactive: bool, starts: bool, address: str
) -> tuple[bool, bool]:
    """Whether it is allowed, and else whether it would be after a password."""
    flags, limit = (_ALLOW_USER_INTERACTION, INTERACTIVE_LIMIT) if interactive else (0, LIMIT)
    subject = ("system-bus-name", {"name": Variant("s", caller)})
    details: dict[str, str] = {}
    question = (subject, action, details, flags, "")
    call = (NAME, PATH, AUTHORITY, "CheckAuthorization", "(sa{sv})sa{ss}us", question)
    bus = await SystemBus.connect(address)
    try:
        (reply,) = await bus.call(*call, returns="(bba{ss})", timeout=limit, starts=starts)
    finally:
        bus.close()
    allowed, challenge, _ = reply
    return allowed, challenge


# -- what the caller is told ---------------------------------------------------------------------

_WHO = "root may, and whoever a rule of polkit lets"


def _refused(action: str, *, interactive: bool) -> str:
    # polkit does not say whether it asked somebody in vain.
    how = ", or nobody gave an administrator's password" if interactive else ""
    return f"not permitted: polkit refuses you {action}{how}; {_WHO}"


def _challenged(action: str, *, interactive: bool) -> str:
    if interactive:
        how = "and there is no terminal or desktop at which polkit could ask for a password"
    else:
        how = "and this call does not let polkit ask for a password"
    return f"not permitted: {action} is for administrators, {how}; {_WHO}"


def _nobody_says(action: str, why: str) -> str:
    return f"not permitted: polkit cannot be asked about {action}: {why}; root may without it"
