"""What takeover and handback need first: to be root, alone, and on a host that stays up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ...host import locks, machine, systemd
from ...model.ports import LockHeld
from ..command_line import command_line
from ..failure import Failure, RequestError
from ..local import Local
from .auto_shutdown import step as auto_shutdown
from .left_list import step as left_list
from .record import LOCK
from .rival import step as rival
from .service import step as service
from .service import watching_step
from .step import TROUBLE, Step, in_words

#: Seconds until a run is told to go on: that of a service which was just switched on, and takes
#: guests as it finds them, is through by then.  And between two looks.
A_MOMENT, _PAUSE = 5.0, 0.2


def steps(local: Local) -> list[Step]:
    """In the order in which they are done: guestctl first, so that nobody's host ever is without
    anybody who sees to its guests."""
    return [service(), rival(), left_list(local), auto_shutdown(local), watching_step()]


def refuse_unless_root(verb: str) -> None:
    """RequestError for anybody else."""
    if not machine.is_root():
        text = f"cannot {verb}: it changes units of the host, which only root may; use sudo"
        raise RequestError(Failure.NOT_PERMITTED, text)


def refuse_while_host_stops(verb: str) -> None:
    """RequestError also where nobody answers: nothing is switched while that is not known."""
    stopping = systemd.is_stopping_now()
    if stopping is None:
        text = f"cannot {verb}: systemd does not say whether the host goes down"
        raise RequestError(Failure.NOT_ALL_WELL, f"{text}; see `systemctl is-system-running`")
    if stopping:
        text = f"cannot {verb}: the host is going down; ask again after the next boot"
        raise RequestError(Failure.NOT_ALL_WELL, text)


def stays_up() -> bool:
    """Whether it is not known that the host goes down."""
    return systemd.is_stopping_now() is not True


def refuse_in_a_run(verb: str) -> None:
    """RequestError while guests are taken down or brought up, by whomever."""
    end = time.monotonic() + A_MOMENT
    while who := locks.who_runs(machine.SYSTEM_RUN):
        if time.monotonic() >= end:
            raise _in_a_run(verb, who)
        time.sleep(_PAUSE)  # a lock tells nobody that it is free


@contextlib.contextmanager
def no_run_begins(verb: str) -> Iterator[None]:
    """Meanwhile: a run would end with the service, or with libvirt's daemon.  Commands are refused;
    the service's own runs wait, as does the host's end, which has this process end soon.

    RequestError where a run goes on.
    """
    with contextlib.ExitStack() as held:
        try:
            who = str(machine.actor(command_line()))
            held.enter_context(locks.runs_held_off(machine.SYSTEM_RUN, who))
        except LockHeld as error:
            raise _in_a_run(verb, str(error)) from error
        yield


def _in_a_run(verb: str, who: str) -> RequestError:
    text = f"cannot {verb}: a run goes on, which that could cut off: {who}"
    runs = locks.is_service_running(machine.SYSTEM_RUN)
    how = "`guestctl attach` shows it, `guestctl cancel` ends it" if runs else "`guestctl history`"
    hint = f"wait until it is through ({how}), and ask again; nothing was touched"
    return RequestError(Failure.LOCKED, f"{text}; {hint}")


@contextlib.contextmanager
def alone(verb: str) -> Iterator[None]:
    """Meanwhile nobody else takes over or hands back.  RequestError where somebody does, and for
    what goes wrong meanwhile."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.held_alone(machine.SYSTEM_RUN, LOCK))
        except LockHeld as error:
            text = f"cannot {verb}: another takeover or handback goes on"
            raise RequestError(Failure.LOCKED, text) from error
        except OSError as error:
            text = f"cannot {verb}: cannot lock {machine.SYSTEM_RUN / LOCK}: {error.strerror}"
            raise RequestError(Failure.NOT_ALL_WELL, text) from error
        with _as_refusal():
            yield


@contextlib.contextmanager
def _as_refusal() -> Iterator[None]:
    """Also what there is cannot always be seen: systemctl may be gone, or have no answer."""
    try:
        yield
    except RequestError:
        raise
    except TROUBLE as error:
        raise RequestError(Failure.NOT_ALL_WELL, in_words(error)) from error
