"""`handback`: guestctl lets this host's guests go, and what was in charge before is again."""

from __future__ import annotations

from collections.abc import Iterator

from ...config.config import Config
from ...decisions.host_facts import rows_of
from ...host.libvirt import auto_shutdown
from ...model.guest import State
from ...model.host_units import RIVAL
from ...model.overview import Row
from ...model.record import Wanted
from ...model.text import argument
from ..gathering import gather
from ..local import Local, open_local
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

VERB = "hand back"
#: Seconds for libvirt to tell of the guests.
_LIMIT = 10.0


def hand_back(config: Config, say: Say, *, dry_run: bool) -> bool:
    """Whether there was something to do.

    say: shows what is done.  dry_run: only what would be.  RequestError, Interrupted: not all was
    handed back, and whoever asks again goes on from there.
    """
    refuse_unless_root(VERB)
    with alone(VERB):
        refuse_while_host_stops(VERB)
        refuse_in_a_run(VERB)
        rival.refuse_if_busy(VERB)
        interrupts = Interrupts()
        interrupts.take()
        local = open_local(config, None, say)
        if not switch(local).back_already(None):
            refuse_in_a_save(local, VERB)
        runner = Runner(steps(local), Store(), say, interrupts, stays_up)
        if dry_run:
            return runner.would_hand_back()
        with no_run_begins(VERB):
            done = runner.hand_back()
        for line in _left(local):
            say(line)
        return done


def _left(local: Local) -> Iterator[str]:
    """What is to be known, now that nobody follows these guests any more."""
    for row in rows_of(gather(local, _LIMIT)):
        if row.state is State.SHUT_OFF:
            yield from _of_guest(row)
    if not (rival.look().is_up or auto_shutdown.switched_on()):
        text = "nobody is in charge of this host's guests: they are killed when it goes down"
        yield f"{text}; systemctl enable --now {RIVAL}"


def _of_guest(row: Row) -> Iterator[str]:
    if row.held is not None:
        yield f"{row.name}: off, and guestctl held it, which ends with guestctl: {row.held}"
    elif row.wanted is Wanted.ON:
        # Of one that is shed the reason names a command of ours, which may be gone soon.
        why = row.why_wanted if row.shed is None else f"it was shed, {row.shed}"
        yield f"{row.name}: off, but wanted on ({why}): virsh start {argument(row.name)}"
