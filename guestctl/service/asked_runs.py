"""Runs that somebody asked the service for: its own tasks, which go on whatever becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from ..control.asked import Asked, down, prepare, up
from ..control.failure import ServiceLost
from ..control.requests import Down, Failure, RequestError, Up
from ..control.run_journal import RunJournal
from ..model.history import Actor
from ..model.plan import RunKind
from ..model.ports import RunLock
from ..model.report import RunBegan, RunEvent, Trouble, tell_all
from ..model.result import RunResult, Trigger
from ..runs.context import Context
from .run_log import LoggedRun, RunLog, RunState
from .state import Activity, ServiceState
from .stop_timeout import StopTimeout
from .waiting import first

logger = logging.getLogger(__name__)

#: Seconds for a run to begin before whoever asked is told of it: what keeps it from beginning is
#: an answer to them until then.
AT_ONCE = 2.0
#: How long a run may take to end as the service is stopped: saves are aborted.
END_LIMIT = 60.0

Request = Down | Up


class AskedRuns:
    """One at a time, under the run lock, with the service's connections."""

    def __init__(
        self,
        state: ServiceState,
        log: RunLog,
        stop_timeout: StopTimeout,
        problems: Callable[[], Sequence[str]],
        keep_stop_deadline: Callable[[float | None], None],
    ) -> None:
        """problems: mistakes in the configuration's files.  keep_stop_deadline: see Asked."""
        self._state = state
        self._log = log
        self._stop_timeout = stop_timeout
        self._problems = problems
        self._keep_stop_deadline = keep_stop_deadline
        #: The one under way, or being prepared.
        self._run: LoggedRun | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        #: Called when one that brings guests up has ended, and some may be left that wait.
        self.on_end: Callable[[], None] = lambda: None

    async def begin(self, request: Request, actor: Actor) -> LoggedRun:
        """The run, once it has begun, or soon; RequestError where it cannot begin.

        Whoever asked may go: the run goes on.
        """
        self._refuse(request)
        called_off = self._call_off(request)
        run = LoggedRun(_kind(request), request.trigger, actor)
        begun = asyncio.Event()
        work = self._carry_out(request, run, begun, called_off)
        self._run, self._task = run, asyncio.create_task(work, name=f"asked for by {actor.user}")
        task = self._task
        task.add_done_callback(_look_at)
        await first(begun.wait(), asyncio.wait([task]), asyncio.sleep(AT_ONCE))
        if task.done() and not run.number:
            task.result()  # what kept it from beginning
        self._log.show(run)
        return run

    def _refuse(self, request: Request) -> None:
        if self._is_over:
            raise ServiceLost(f"cannot {_word(request)}: the service is ending")
        if isinstance(request, Up) and self._state.goes_down:
            text = "cannot start guests: the host is going down"
            raise RequestError(Failure.LOCKED, text)
        if self._run is not None and not self._may_call_off(request):
            text = f"another run has the lock: {self._run.actor}; `guestctl attach` shows it"
            raise RequestError(Failure.LOCKED, text)

    def _may_call_off(self, request: Request) -> bool:
        """Whether the run under way sheds guests, and `resume` is asked for."""
        is_shedding = self._run is not None and self._run.trigger is Trigger.SHED
        return is_shedding and isinstance(request, Up) and request.shed

    def _call_off(self, request: Request) -> asyncio.Task[None] | None:
        """The run that ends for this one, as by Ctrl-C; None where none does."""
        task = self._task if self._may_call_off(request) else None
        if task is not None:
            task.cancel()
        return task

    def cancel(self, run: LoggedRun) -> None:
        """End it as Ctrl-C does; RequestError where it is none that somebody asked for."""
        if run.state is RunState.ENDED:
            raise RequestError(Failure.WRONG_REQUEST, "cannot cancel the run: it has ended")
        if run is not self._run or self._task is None:
            text = f"cannot cancel the run: nobody asked for it, its trigger is {run.trigger}"
            raise RequestError(Failure.WRONG_REQUEST, text)
        self._task.cancel()

    def host_goes_down(self) -> None:
        """What starts guests ends at once: they would be taken down again, and late."""
        if self._task is not None and self._run is not None and self._run.kind is RunKind.RESTORE:
            self._task.cancel()

    async def end(self) -> None:
        """None is begun any more, and the one under way ends as by Ctrl-C."""
        self._is_over = True
        task, run = self._task, self._run
        if task is None or run is None:
            return
        if run.kind is RunKind.PRESERVE:
            # Nobody has called it off: who follows it sees the service go, and root's goes on.
            self._log.fall_silent()
        task.cancel()
        async with self._stop_timeout.asking():
            self._stop_timeout.allow(END_LIMIT)
            await asyncio.wait([task], timeout=END_LIMIT)

    # The run

    async def _carry_out(
        self,
        request: Request,
        run: LoggedRun,
        begun: asyncio.Event,
        called_off: asyncio.Task[None] | None,
    ) -> None:
        def note(event: RunEvent) -> None:
            self._log.tell(run, event)
            if isinstance(event, RunBegan):
                begun.set()

        tell = tell_all(RunJournal(run.actor), self._stop_timeout, note)
        try:
            if called_off is not None:
                await asyncio.wait([called_off], timeout=END_LIMIT)
            await self._act(request, run, tell)
        except RequestError as error:
            self._not_begun(run, error, tell)
        except asyncio.CancelledError:
            how = "before it began" if run.state is RunState.PREPARING else "once more, as it ended"
            text = f"the run was ended {how}"
            self._not_begun(run, RequestError(Failure.NOT_ALL_WELL, text), tell)
        except Exception as error:  # noqa: BLE001 - said, as of any run
            logger.error(f"internal error, a run that {run.actor} asked for ended: {error!r}")
            text = f"internal error: {error!r}"
            self._not_begun(run, RequestError(Failure.NOT_ALL_WELL, text), tell)
        finally:
            if self._run is run:  # and not one for which it ended
                self._run = self._task = None
            self._log.close(run)
            if isinstance(request, Up):
                self.on_end()

    def _not_begun(
        self, run: LoggedRun, error: RequestError, tell: Callable[[RunEvent], None]
    ) -> None:
        """Whoever asked is told, as an answer or, where they have one, by the run."""
        if not run.number:
            raise error
        tell(Trouble(str(error)))

    async def _act(
        self, request: Request, run: LoggedRun, tell: Callable[[RunEvent], None]
    ) -> RunResult:
        state, actor = self._state, run.actor
        assert actor is not None
        await state.refresh()
        self._heed_mistakes(request, tell)

        def complain(text: str) -> None:
            tell(Trouble(text))

        lock = _MarkedLock(state, _activity(request))
        asked = Asked(actor, lock, complain, self._keep_stop_deadline)
        context = _context(state.context, actor, tell)
        if isinstance(request, Up):
            return await up(context, state.config, request, asked)
        makeshift = bool(self._problems())
        prepared = prepare(state.config, request, complain, makeshift=makeshift)
        return await down(context, prepared, request, asked)

    def _heed_mistakes(self, request: Request, tell: Callable[[RunEvent], None]) -> None:
        """As the command line does: there may be no time where guests are taken to safety."""
        if not (problems := self._problems()):
            return
        mistakes = "\n".join(problems)
        if _kind(request) is not RunKind.PRESERVE and request.trigger is not Trigger.RESUME:
            text = f"cannot use the configuration:\n{mistakes}"
            raise RequestError(Failure.WRONG_REQUEST, text)
        tell(Trouble(f"the configuration has mistakes: {mistakes}"))


def _look_at(task: asyncio.Task[None]) -> None:
    """Whoever asked may be gone, and asyncio would log what nobody looked at."""
    if not task.cancelled():
        task.exception()


def _kind(request: Request) -> RunKind:
    return RunKind.RESTORE if isinstance(request, Up) else request.kind


def _word(request: Request) -> str:
    return "start guests" if isinstance(request, Up) else "take guests down"


def _activity(request: Request) -> Activity:
    return Activity.RESTORING if isinstance(request, Up) else Activity.PRESERVING


def _context(own: Context, actor: Actor, tell: Callable[[RunEvent], None]) -> Context:
    """Nobody tries it again, and somebody may look how far it is."""
    return replace(
        own,
        tell=tell,
        actor=actor,
        follows_progress=True,
        tries_later=False,
        checkpoint=_unhindered,
    )


async def _unhindered() -> None:
    """Nothing cancels what a person asked for but that person."""


class _MarkedLock:
    """The service's run lock: while it is held, the service does what was asked for."""

    def __init__(self, state: ServiceState, activity: Activity) -> None:
        self._state = state
        self._lock: RunLock = state.lock
        self._activity = activity

    def is_held(self) -> bool:
        return self._lock.is_held()

    @contextlib.asynccontextmanager
    async def hold(
        self, what: str, limit: float, *, ask: bool = False, ends: str = ""
    ) -> AsyncIterator[None]:
        # Named: a command in a process of its own must not tell the service to end.
        async with self._lock.hold(f"the service, for {what}", limit, ask=ask, ends=ends):
            with self._state.asked_for(self._activity):
                yield
