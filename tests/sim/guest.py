"""One simulated guest: libvirt's states, jobs and lock around a guest's behaviour.

No coroutine is at work here, only callbacks at their times: what libvirtd was asked to do
goes on whether or not anybody waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Protocol

from guestctl.model import (
    Disk,
    DiskKind,
    EventKind,
    GuestEvent,
    GuestFacts,
    GuestId,
    Job,
    JobKind,
    Method,
    Nature,
    State,
)
from guestctl.ports import ErrorKind

from .behaviour import Abort, Agent, GuestSpec, Image, OtherJob, uuid_of
from .lock import Reply, StateLock

#: libvirt's own limits: for an agent to answer, for a process to end after SIGKILL.
AGENT_LIMIT, KILL_LIMIT = 5.0, 15.0
ABORT_TAKES, WAKE_TAKES = 0.2, 0.5
NOT_RUNNING = "Requested operation is not valid: domain is not running"


class Owner(Protocol):
    """The libvirtd that a guest belongs to."""

    uri: str

    def emit(self, guest: SimGuest, event: GuestEvent) -> None:
        """Tell every client."""

    def remove(self, guest: SimGuest) -> None:
        """The guest exists no more."""

    def save_began(self) -> None:
        """For counting how many are under way."""

    def save_ended(self) -> None:
        """For counting how many are under way."""


@dataclass
class _Job:
    """A job under way; finish is what happens when it is through."""

    kind: JobKind
    begun: float
    seconds: float
    abort: Abort
    reply: Reply
    finish: Callable[[], None]


class SimGuest:
    """A guest of a simulated libvirtd.  Its methods named like libvirt's calls answer a Reply."""

    def __init__(self, owner: Owner, spec: GuestSpec) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.uuid = uuid_of(spec.name)
        self.name = spec.name
        self.behaviour = spec.behaviour
        self.state = spec.state
        self.reason = spec.reason or ("booted" if spec.state is State.RUNNING else "unknown")
        self.persistent = spec.persistent
        self.autostart = spec.autostart
        self.image = spec.image
        #: How many images were made of it: tells one from the next.
        self.images_made = 0
        self.nature = Nature(disks=(Disk(DiskKind.FILE, f"/images/{spec.name}.qcow2"),))
        self.memory = spec.memory
        self.clock: float | None = None
        self._image_paused = False
        self._hears_from = self._loop.time() - spec.booted + self.behaviour.boots
        self._presses = 0
        self._owed: list[Callable[[], None]] = []
        self._start_failures = spec.behaviour.start.fails
        self._life = 0
        self._job: _Job | None = None
        self._lock = StateLock(self._is_locked, lambda: self.behaviour.frozen)
        if spec.job:
            self._begin_other(spec.job)

    # -- what is seen of it ----------------------------------------------------------------------

    @property
    def up(self) -> bool:
        return self.state is not State.SHUT_OFF

    @property
    def id(self) -> GuestId:
        return GuestId(self._owner.uri, self.uuid)

    @property
    def facts(self) -> GuestFacts:
        saved = self.image is not Image.NONE
        return GuestFacts(
            self.id,
            self.name,
            self.state,
            self.reason,
            self.persistent,
            self.autostart,
            saved,
            self.memory,
        )

    def discard_save(self, reply: Reply) -> None:
        if self.image is Image.NONE:
            reply.fail(ErrorKind.FAILED, "no managed save image")
        else:
            self.image = Image.NONE
            reply.ok()

    def job(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif self.behaviour.frozen:
            self._lock.take(reply, lambda: reply.ok(self._seen_job()))
        else:
            reply.ok(self._seen_job())

    def _seen_job(self) -> Job | None:
        job = self._job
        if job is None or job.kind is JobKind.OTHER:
            return None
        share = 0.0 if job.seconds == inf else (self._loop.time() - job.begun) / job.seconds
        return Job(job.kind, int(share * self.memory), self.memory)

    # -- the state change lock -------------------------------------------------------------------

    def _is_locked(self, beside_backup: bool) -> bool:
        if self.behaviour.frozen:
            return True
        return self._job is not None and not (beside_backup and self._job.kind is JobKind.BACKUP)

    def thaw(self) -> None:
        """Its QEMU answers again."""
        self.behaviour = replace(self.behaviour, frozen=False)
        self._lock.release()

    # -- jobs ------------------------------------------------------------------------------------

    def _begin_job(
        self,
        kind: JobKind,
        seconds: float,
        abort: Abort,
        reply: Reply,
        finish: Callable[[], None],
    ) -> None:
        self._job = _Job(kind, self._loop.time(), seconds, abort, reply, finish)
        self._later(seconds, self._finish_job, self._job)

    def _finish_job(self, job: _Job) -> None:
        if self._job is job:
            self._end_job()
            job.finish()
            self._lock.release()

    def _end_job(self) -> None:
        if self._job and self._job.kind is JobKind.SAVE:
            self._owner.save_ended()
        self._job = None

    def _begin_other(self, other: OtherJob) -> None:
        if other.kind is JobKind.SAVE:
            self._begin_save(Reply(), other.ends, other.abort)
            return
        finish = self.migrate_away if other.kind is JobKind.MIGRATION else _nothing
        self._begin_job(other.kind, other.ends, other.abort, Reply(), finish)

    def abort_job(self, reply: Reply) -> None:
        job = self._job
        if self.behaviour.frozen:
            self._lock.take(reply, lambda: self.abort_job(reply))
        elif job is None:
            reply.fail(ErrorKind.WRONG_STATE, "operation is not valid: no job is active")
        elif job.abort is Abort.REFUSED:
            reply.fail(ErrorKind.FAILED, "internal error: cannot abort this job")
        else:
            reply.ok()
            ending = {Abort.WORKS: self._abort, Abort.LATE: self._finish_job}.get(job.abort)
            if ending:
                self._later(ABORT_TAKES, ending, job)

    def _abort(self, job: _Job) -> None:
        if self._job is job:
            self._end_job()
            if job.kind is JobKind.SAVE:
                self._go_on_after_save("save canceled")
            job.reply.fail(ErrorKind.ABORTED, "operation aborted: job was canceled by client")
            self._lock.release()

    # -- managed save ----------------------------------------------------------------------------

    def save(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif not self.persistent:
            message = "cannot do managed save for transient domain"
            reply.fail(ErrorKind.WRONG_STATE, f"Requested operation is not valid: {message}")
        else:
            self._lock.take(reply, lambda: self._save_if_up(reply))

    def _save_if_up(self, reply: Reply) -> None:
        if self.up:
            wanted = self.behaviour.save
            self._begin_save(reply, wanted.after, wanted.abort)
        else:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)

    def _begin_save(self, reply: Reply, seconds: float, abort: Abort) -> None:
        self._image_paused = self.state is State.PAUSED
        if not self._image_paused:
            self._suspend("saving")
        self._owner.save_began()
        self._begin_job(JobKind.SAVE, seconds, abort, reply, partial(self._end_save, reply))

    def _end_save(self, reply: Reply) -> None:
        if error := self.behaviour.save.fails:
            self._go_on_after_save("save canceled")
            reply.fail(ErrorKind.FAILED, error)
        else:
            self.image = Image.COMPLETE
            self.images_made += 1
            self.go_down("saved")
            reply.ok()

    def _go_on_after_save(self, reason: str) -> None:
        if not self._image_paused:
            self._run(reason)

    # -- down ------------------------------------------------------------------------------------

    def request_shutdown(self, reply: Reply, method: Method) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif method is Method.AGENT:
            self._ask_agent(reply, self._agent_shuts_down)
        else:
            self._lock.take(reply, lambda: self._press(reply), beside_backup=True)

    def _press(self, reply: Reply) -> None:
        """ACPI keeps a press while the guest is paused; one still booting misses it."""
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
            return
        reply.ok()
        if self.state is State.PAUSED:
            self._owed.append(self._hear_press)
        elif self.state is State.RUNNING:
            self._hear_press()

    def _hear_press(self) -> None:
        if self._loop.time() < self._hears_from:
            return
        self._presses += 1
        if self._presses == self.behaviour.button.press:
            self._later(self.behaviour.button.after, self.shut_itself_down)

    def _ask_agent(self, reply: Reply, does: Callable[[], None]) -> None:
        agent = self.behaviour.agent
        if agent is Agent.NONE:
            message = "argument unsupported: QEMU guest agent is not configured"
            reply.fail(ErrorKind.UNSUPPORTED, message)
        elif agent is Agent.ABSENT or self._loop.time() < self._hears_from:
            message = "Guest agent is not responding: QEMU guest agent is not connected"
            reply.fail(ErrorKind.NO_ANSWER, message)
        elif agent is Agent.HANGS or self.behaviour.frozen or self.state is not State.RUNNING:
            message = "Guest agent is not responding: no synchronization within '5' seconds"
            self._loop.call_later(AGENT_LIMIT, reply.fail, ErrorKind.NO_ANSWER, message)
        else:
            reply.ok()
            does()

    def _agent_shuts_down(self) -> None:
        if self.behaviour.agent is Agent.WORKS:
            self._later(self.behaviour.agent_after, self.shut_itself_down)

    def shut_itself_down(self) -> None:
        """It powers itself off, whatever made it do so; a paused guest does later."""
        if self.state is State.RUNNING:
            self._emit(EventKind.SHUTDOWN, "guest")
            self.go_down("shutdown")
        elif self.up:
            self._owed.append(self.shut_itself_down)

    def poweroff(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif self.behaviour.unkillable:
            message = "Failed to terminate process 4711 with SIGKILL: Device or resource busy"
            self._loop.call_later(KILL_LIMIT, reply.fail, ErrorKind.FAILED, message)
        else:
            self._later(self.behaviour.kill, self._killed, reply)

    def _killed(self, reply: Reply) -> None:
        self._emit(EventKind.SHUTDOWN, "host")
        self.go_down("destroyed")
        reply.ok()

    def migrate_away(self) -> None:
        """It runs on another host from now on."""
        self.go_down("migrated")

    def go_down(self, reason: str) -> None:
        """No machine of it is left; a transient guest is gone for good."""
        job = self._job
        self._end_job()
        self._set(State.SHUT_OFF, reason)
        self._life += 1
        self._owed.clear()
        self.behaviour = replace(self.behaviour, frozen=False)
        self._emit(EventKind.STOPPED, reason)
        if not self.persistent:
            self._owner.remove(self)
        if job:
            job.reply.fail(ErrorKind.FAILED, "operation failed: domain is no longer running")
        self._lock.release()

    # -- up --------------------------------------------------------------------------------------

    def start(self, reply: Reply) -> None:
        """virDomainCreate: while it is at it, libvirt shows the guest as paused, starting up."""
        if self.up:
            message = "Requested operation is not valid: domain is already running"
            reply.fail(ErrorKind.WRONG_STATE, message)
        elif self.image is Image.BROKEN:
            reply.fail(ErrorKind.FAILED, "operation failed: save image is corrupt")
        else:
            self._life += 1
            self._set(State.PAUSED, "starting up")
            seconds, finish = self.behaviour.start.after, partial(self._end_start, reply)
            self._begin_job(JobKind.OTHER, seconds, Abort.REFUSED, reply, finish)

    def _end_start(self, reply: Reply) -> None:
        if self._start_failures > 0:
            self._start_failures -= 1
            self._set(State.SHUT_OFF, "failed")
            reply.fail(ErrorKind.FAILED, self.behaviour.start.message)
            return
        if self.image is Image.COMPLETE:
            self._restored()
        else:
            self._booted()
        reply.ok()

    def _booted(self) -> None:
        self.image = Image.NONE
        self._presses = 0
        self._hears_from = self._loop.time() + self.behaviour.boots
        self._set(State.RUNNING, "booted")
        self._emit(EventKind.STARTED, "booted")

    def _restored(self) -> None:
        self.image = Image.NONE
        self._emit(EventKind.STARTED, "restored")
        if self._image_paused:
            self._set(State.PAUSED, "from snapshot")
            self._emit(EventKind.SUSPENDED)
        else:
            self._run("restored")

    def unpause(self, reply: Reply) -> None:
        if self.state in (State.RUNNING, State.SHUT_OFF):
            message = "domain is already running" if self.up else "domain is not running"
            reply.fail(ErrorKind.WRONG_STATE, f"Requested operation is not valid: {message}")
            return
        self._lock.take(reply, lambda: self._unpause_if_paused(reply), beside_backup=True)

    def _unpause_if_paused(self, reply: Reply) -> None:
        if self.state is State.PAUSED:
            self._run("unpaused")
            reply.ok()
        else:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)

    def wake(self, reply: Reply) -> None:
        if self.state is not State.PMSUSPENDED:
            reply.fail(ErrorKind.FAILED, "internal error: guest is not in suspended state")
            return
        reply.ok()
        if self.behaviour.wakes:
            self._later(WAKE_TAKES, self._woken)

    def _woken(self) -> None:
        self._set(State.RUNNING, "event wakeup")
        self._emit(EventKind.STARTED, "wakeup")

    def set_time(self, reply: Reply, seconds: float) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        else:
            self._ask_agent(reply, lambda: setattr(self, "clock", seconds))

    # -- what others do with it ------------------------------------------------------------------

    def pause(self) -> None:
        self._suspend("user")

    def crash(self) -> None:
        """A panic, with on_crash=destroy."""
        self._emit(EventKind.CRASHED)
        self.go_down("crashed")

    def rename(self, name: str) -> None:
        """libvirt renames guests that are off."""
        assert not self.up, "libvirt renames no guest that is up"
        self._emit(EventKind.UNDEFINED, "renamed")
        self.name = name
        self._emit(EventKind.DEFINED, "renamed")

    def undefine(self) -> None:
        """A running guest becomes a transient one."""
        self.persistent, self.autostart = False, False
        self._emit(EventKind.UNDEFINED, "removed")
        if not self.up:
            self._owner.remove(self)

    def lose_memory(self) -> None:
        """The host is gone under it: what was being saved is half a file."""
        if self._job and self._job.kind is JobKind.SAVE:
            self.image = Image.INCOMPLETE
        self._end_job()
        self._life += 1
        self._owed.clear()
        self._lock.forget()
        self._set(State.SHUT_OFF, "unknown")
        if not self.persistent:
            self._owner.remove(self)

    # -- helpers ---------------------------------------------------------------------------------

    def _suspend(self, reason: str) -> None:
        self._set(State.PAUSED, reason)
        self._emit(EventKind.SUSPENDED)

    def _run(self, reason: str) -> None:
        self._set(State.RUNNING, reason)
        self._emit(EventKind.RESUMED)
        owed, self._owed = self._owed, []
        for deed in owed:
            deed()

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason

    def _emit(self, kind: EventKind, detail: str = "unknown") -> None:
        if not self.behaviour.loses_events:
            self._owner.emit(self, GuestEvent(self.id, self.name, kind, detail))

    def _later(self, seconds: float, deed: Callable[..., object], *args: object) -> None:
        """At its time, unless the guest went down or up in between."""
        if seconds != inf:
            life = self._life
            self._loop.call_later(seconds, self._do_if_same_life, life, deed, args)

    def _do_if_same_life(
        self, life: int, deed: Callable[..., object], args: tuple[object, ...]
    ) -> None:
        if self._life == life:
            deed(*args)


def _nothing() -> None:
    return
