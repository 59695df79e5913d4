"""Jobs of a simulated guest, its managed save above all, and libvirt's lock around them.

No coroutine is at work here, only callbacks at their times: what libvirtd was asked to do
goes on whether or not anybody waits for the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from guestctl.model.event import EventKind, Job, JobKind
from guestctl.model.guest import State
from guestctl.model.ports import ErrorKind

from .behaviour import Abort, GuestSpec, Image, OtherJob
from .chronicle import By, Fate
from .lock import Reply, StateLock
from .machine import Machine, Owner

ABORT_TAKES = 0.2
_DISK_FULL = "operation failed: cannot write the save: No space left on device"
_BLOCK_JOBS = (JobKind.PULL, JobKind.COPY, JobKind.COMMIT)
_BLOCK_JOB = "Requested operation is not valid: domain has active block job"
NOT_RUNNING = "Requested operation is not valid: domain is not running"


@dataclass
class _Job:
    """A job under way; finish is what happens when it is through."""

    kind: JobKind
    begun: float
    seconds: float
    abort: Abort
    reply: Reply
    finish: Callable[[], None]
    unlinked: bool = False


class BusyMachine(Machine):
    """A machine with at most one job under way, and whatever waits for its end."""

    def __init__(self, owner: Owner, spec: GuestSpec) -> None:
        super().__init__(owner, spec)
        self._image_paused = self._image_runs = False
        self._image_taken_until = 0.0
        self._owed: list[Callable[[], None]] = []
        self._job: _Job | None = None
        #: Beside which everything but a save goes on.
        self._block_job: _Job | None = None
        self._lock = StateLock(self._is_locked, lambda: self.behaviour.frozen)
        if spec.job:
            self._begin_other(spec.job)

    def discard_save(self, reply: Reply) -> None:
        """virDomainManagedSaveRemove: it unlinks whatever file is there."""
        if self.image is Image.NONE:
            message = f"Failed to remove managed save file '{self.name}.save'"
            reply.fail(ErrorKind.SYSTEM, f"{message}: No such file or directory")
            return
        wrong = "" if self.up else "the guest was down"
        if self._job and self._job.kind is JobKind.SAVE:
            self._job.unlinked, wrong = True, "a save was being written"
        self._note(Fate.DISCARDED, reply.by, self.images.number, wrong)
        self.images.drop()
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

    @property
    def being_saved(self) -> int:
        """The bytes of a save under way that are written."""
        job = self._seen_job()
        return job.done if job and job.kind is JobKind.SAVE else 0

    def block_jobs(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        else:
            self._lock.take(reply, lambda: reply.ok(self._seen_block_jobs()), beside_backup=True)

    def _seen_block_jobs(self) -> tuple[Job, ...]:
        job = self._block_job
        return () if job is None else (Job(job.kind, 0, self.memory, "vda"),)

    def abort_block_job(self, reply: Reply) -> None:
        job = self._block_job
        if job is None:
            reply.fail(ErrorKind.FAILED, "disk vda does not have an active block job")
        elif job.abort is Abort.REFUSED:
            reply.fail(ErrorKind.FAILED, "internal error: cannot abort this job")
        else:
            reply.ok()
            if job.abort is Abort.WORKS:
                self._later(ABORT_TAKES, self._end_block_job, job)

    def begin_block_job(self, other: OtherJob) -> None:
        """An administrator's `virsh blockcopy`, `blockcommit` or `blockpull`."""
        if self.up:
            now, ends = self._loop.time(), other.ends
            self._block_job = _Job(other.kind, now, ends, other.abort, Reply(), _nothing)
            self._later(ends, self._end_block_job, self._block_job)

    def _end_block_job(self, job: _Job) -> None:
        if self._block_job is job:
            self._block_job = None

    # -- the state change lock --------------------------------------------------------------------

    def _is_locked(self, beside_backup: bool) -> bool:
        if self.behaviour.frozen:
            return True
        return self._job is not None and not (beside_backup and self._job.kind is JobKind.BACKUP)

    def freeze(self) -> None:
        """Its QEMU gets SIGSTOP."""
        if self.up:
            self.behaviour = replace(self.behaviour, frozen=True)

    def thaw(self) -> None:
        """Its QEMU answers again."""
        self.behaviour = replace(self.behaviour, frozen=False)
        self._lock.release()

    # -- jobs -------------------------------------------------------------------------------------

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
        if self._job is not job:
            return
        if job.kind is JobKind.SAVE:
            full = self._has_filled_its_disk()
            self._end_job()
            self._end_save(job, full)
        else:
            self._end_job()
            job.finish()
        self._lock.release()

    def _end_job(self) -> None:
        if self._job and self._job.kind is JobKind.SAVE:
            self._owner.save_ended()
        self._job = None

    def _begin_other(self, other: OtherJob) -> None:
        if other.kind in _BLOCK_JOBS:
            self.begin_block_job(other)
            return
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
                self._leave_wreck()
                self._go_on_after_save("save canceled")
            job.reply.fail(ErrorKind.ABORTED, "operation aborted: job was canceled by client")
            self._lock.release()

    # -- managed save -----------------------------------------------------------------------------

    def save(self, reply: Reply, *, runs_again: bool = False) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif not self.persistent:
            message = "cannot do managed save for transient domain"
            reply.fail(ErrorKind.WRONG_STATE, f"Requested operation is not valid: {message}")
        else:
            self._lock.take(reply, lambda: self._save_if_up(reply, runs_again))

    def _save_if_up(self, reply: Reply, runs_again: bool) -> None:
        if self.up and self._loop.time() < self._image_taken_until:
            message = "failure with the image: O_DIRECT write needs empty seekable file"
            reply.fail(ErrorKind.FAILED, f"operation failed: {message}")
        elif self.up and self._block_job:
            reply.fail(ErrorKind.WRONG_STATE, _BLOCK_JOB)
        elif self.up:
            wanted = self.behaviour.save
            self._begin_save(reply, wanted.after, wanted.abort)
            self._image_runs = runs_again
        else:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)

    def _begin_save(self, reply: Reply, seconds: float, abort: Abort) -> None:
        self._image_paused, self._image_runs = self.state is State.PAUSED, False
        if not self._image_paused:
            self._suspend("saving")
        self._owner.save_began()
        self._begin_job(JobKind.SAVE, seconds, abort, reply, _nothing)

    def _end_save(self, job: _Job, full: bool) -> None:
        error = self.behaviour.save.fails or (_DISK_FULL if full else "")
        if error:
            self._leave_wreck()
            self._go_on_after_save("save canceled")
            job.reply.fail(ErrorKind.FAILED, error)
            return
        self._make_image(Image.NONE if job.unlinked else Image.COMPLETE)
        self.go_down("saved", job.reply.by, Fate.SAVED)
        job.reply.ok()

    def _leave_wreck(self) -> None:
        """Of a save that was cut off, libvirt can leave the file."""
        if self.behaviour.save.wreck:
            self._make_image(Image.INCOMPLETE)

    def _go_on_after_save(self, reason: str) -> None:
        if not self._image_paused:
            self._run(reason)

    # -- what ends them all -----------------------------------------------------------------------

    def migrate_away(self) -> None:
        """It runs on another host from now on."""
        if self.up:
            self.go_down("migrated", By.SOMEBODY, Fate.MOVED)

    def go_down(self, reason: str, by: By, fate: Fate = Fate.STOPPED) -> None:
        """No machine of it is left; a transient guest is gone for good."""
        job = self._job
        self._end_job()
        self._block_job = None
        self._note(fate, by, self.images.number if fate is Fate.SAVED else 0)
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

    def _suspend(self, reason: str) -> None:
        self._set(State.PAUSED, reason)
        self._emit(EventKind.SUSPENDED)

    def _run(self, reason: str) -> None:
        self._set(State.RUNNING, reason)
        self._emit(EventKind.RESUMED)
        owed, self._owed = self._owed, []
        for deed in owed:
            deed()


def _nothing() -> None:
    return
