"""`--within`: seconds, or what the battery of a UPS has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..config.config import Config
from ..decisions.profiles import own_deadline
from ..host import ups
from ..model.units import show_limit
from ..model.ups import Ups

#: Kept of the battery for what comes after a run's deadline, the last poweroff of a guest (15 s)
#: and the host's own end, and for what the UPS is wrong about: seconds, and the part of what it
#: says, whichever is more; but half of it at most, or a short battery would leave no time at all.
MARGIN, MARGIN_SHARE, MOST_SHARE = 60.0, 0.1, 0.5
#: With less every plug would be pulled at once, which an empty battery does by itself; and a UPS
#: that says so may be wrong.
LEAST = 30.0

Within = float | Ups


def seconds_of(
    within: Within | None,
    config: Config,
    profile: str | None,
    complain: Callable[[str], None],
    say: Callable[[str], None] = lambda _: None,
) -> float | None:
    """How many seconds a run may take in all; None for as long as the deadline says.

    The deadline is kept where the battery lasts longer, and where it is not known how long it
    does: complain is told why.  say is told what the battery has.
    """
    if not isinstance(within, Ups):
        return within
    deadline = own_deadline(config, profile) or config.shutdown.deadline
    try:
        left = asyncio.run(ups.runtime(within))
    except ups.RuntimeUnknown as error:
        text = f"cannot tell how long the battery of {within} lasts: {error}"
        complain(f"{text}; the deadline counts, {show_limit(deadline)}")
        return None
    seconds = min(without_margin(left), deadline)
    say(f"the battery of {within} lasts {show_limit(left)}: within {show_limit(seconds)}")
    return seconds


def without_margin(left: float) -> float:
    """The part of a battery's time that guests may have."""
    return max(LEAST, left - min(max(MARGIN, MARGIN_SHARE * left), MOST_SHARE * left))
