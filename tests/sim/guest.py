"""One simulated guest: libvirt's calls, and what others do with it, around its behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf

from guestctl.host.libvirt.policy_xml import MOST
from guestctl.model.event import EventKind, JobKind
from guestctl.model.guest import State
from guestctl.model.options import Method
from guestctl.model.policy_change import PolicyChange
from guestctl.model.ports import ErrorKind

from .behaviour import Abort, Agent, GuestSpec, Image
from .chronicle import By, Fate
from .jobs import NOT_RUNNING
from .lock import Reply
from .machine import Owner
from .outages import Outages

#: libvirt's own limits: for an agent to answer, for a process to end after SIGKILL.
AGENT_LIMIT, AGENT_SHUTDOWN, KILL_LIMIT = 5.0, 60.0, 15.0
WAKE_TAKES = 0.5


class SimGuest(Outages):
    """A guest of a simulated libvirtd.  Its methods named like libvirt's calls answer a Reply."""

    def __init__(self, owner: Owner, spec: GuestSpec) -> None:
        super().__init__(owner, spec)
        self._hears_from = self._loop.time() - spec.booted + self.behaviour.boots
        self._presses = 0
        #: When it does as it was asked to; and how long after it is restored from its image.
        self._obeys_at = self._image_obeys = inf
        self.restarts = spec.info.restarts
        #: Whoever asked its agent to shut it down.
        self._awaited = Reply()
        self._start_failures = spec.behaviour.start.fails
        #: A network of libvirt's that it needs and that is not active.
        self.lacks = ""

    def use_up_autostart_once(self, reply: Reply) -> None:
        self.autostart_once = False
        reply.ok()

    def change_policy(self, reply: Reply, change: PolicyChange) -> None:
        """What libvirt keeps of metadata, and what guestctl writes there, in one."""
        policy = change.of(self.info.policy)
        if sum(len(key) + len(value) for key, value in policy) > MOST:
            reply.ok(f"there would be more than {MOST} characters")
            return
        faults = () if change.afresh else self.info.policy_faults
        self.info = replace(self.info, policy=policy, policy_faults=faults)
        reply.ok("")

    # -- down ------------------------------------------------------------------------------------

    def request_shutdown(self, reply: Reply, method: Method) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif method is Method.AGENT:
            self._ask_agent(reply, lambda: self._agent_shuts_down(reply))
        else:
            self._lock.take(reply, lambda: self._press(reply), beside_backup=True)

    def _press(self, reply: Reply) -> None:
        """ACPI keeps a press while the guest is paused; one still booting misses it."""
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
            return
        reply.ok()
        self._emit_qemu("POWERDOWN")
        if self.state is State.PAUSED:
            self._owed.append(partial(self._hear_press, reply.by))
        elif self.state is State.RUNNING:
            self._hear_press(reply.by)

    def _hear_press(self, by: By) -> None:
        if self._loop.time() < self._hears_from:
            return
        self._presses += 1
        if self._presses == self.behaviour.button.press:
            self._obeys_at = self._loop.time() + self.behaviour.button.after
            self._later(self.behaviour.button.after, self.shut_itself_down, by)

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
            does()

    def _agent_shuts_down(self, reply: Reply) -> None:
        """An agent answers no such request: libvirt waits for the guest's end instead."""
        self._awaited = reply
        message = "Guest agent is not responding: Guest agent not available for now"
        self._loop.call_later(AGENT_SHUTDOWN, reply.fail, ErrorKind.NO_ANSWER, message)
        if self.behaviour.agent is Agent.WORKS:
            self._later(self.behaviour.agent_after, self.shut_itself_down, reply.by)

    def go_down(self, reason: str, by: By, fate: Fate = Fate.STOPPED) -> None:
        left = self._obeys_at - self._loop.time() if fate is Fate.SAVED else inf
        self._image_obeys, self._obeys_at = max(0.0, left), inf
        super().go_down(reason, by, fate)
        self._awaited.ok()

    def set_restarts(self, reply: Reply, restarts: bool) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        else:
            self._lock.take(reply, lambda: self._let_restart(reply, restarts), beside_backup=True)

    def _let_restart(self, reply: Reply, restarts: bool) -> None:
        self.restarts = restarts
        reply.ok()

    def shut_itself_down(self, by: By = By.ITSELF) -> None:
        """It powers itself off, whoever made it do so; a paused guest does later."""
        if self.state is State.RUNNING and self.restarts:
            self.reset()
        elif self.state is State.RUNNING:
            self._emit_qemu("SHUTDOWN", "guest-shutdown", by_guest=True)
            self._emit(EventKind.SHUTDOWN, "guest")
            self._emit_qemu("SHUTDOWN", "host-signal")
            if self.behaviour.lingers:
                self._set(State.IN_SHUTDOWN, "unknown")
                self._later(self.behaviour.lingers, self.go_down, "shutdown", by)
            else:
                self.go_down("shutdown", by)
        elif self.up:
            self._owed.append(partial(self.shut_itself_down, by))

    def press(self) -> None:
        """`virsh shutdown` by an administrator."""
        self.request_shutdown(Reply(), Method.ACPI)

    def ask_agent(self) -> None:
        """`virsh shutdown --mode agent`."""
        self.request_shutdown(Reply(), Method.AGENT)

    def reset(self) -> None:
        """`virsh reset`, or a reboot from inside; both forget what was asked of it."""
        if self.state is State.RUNNING:
            self._emit_qemu("RESET", "guest-reset", by_guest=True)
            self._presses, self._obeys_at = 0, inf
            self._life += 1

    def end_process(self, *, kill: bool) -> None:
        """Its QEMU gets SIGTERM, or SIGKILL."""
        if not self.up:
            return
        if not kill:
            self._emit_qemu("SHUTDOWN", "host-signal")
            self._emit(EventKind.SHUTDOWN, "host")
        self.go_down("failed" if kill else "shutdown", By.SOMEBODY)

    def hibernate(self) -> None:
        """It suspends itself to its disk."""
        if self.state is State.RUNNING:
            self._emit_qemu("SUSPEND_DISK")
            self._emit(EventKind.PMSUSPENDED, "disk")
            self.shut_itself_down()

    def revert(self) -> None:
        """To a snapshot of when it was off."""
        if self.up:
            self.go_down("from snapshot", By.SOMEBODY)

    def poweroff(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        elif self.behaviour.unkillable:
            message = "Failed to terminate process 4711 with SIGKILL: Device or resource busy"
            self._loop.call_later(KILL_LIMIT, reply.fail, ErrorKind.FAILED, message)
        else:
            self._later(self.behaviour.kill, self._killed, reply)

    def _killed(self, reply: Reply) -> None:
        self._emit_qemu("SHUTDOWN", "host-signal")
        self._emit(EventKind.SHUTDOWN, "host")
        self.go_down("destroyed", reply.by)
        reply.ok()

    # -- up --------------------------------------------------------------------------------------

    def start(self, reply: Reply) -> None:
        """virDomainCreate: while it is at it, libvirt shows the guest as paused, starting up."""
        if self.up:
            message = "Requested operation is not valid: domain is already running"
            reply.fail(ErrorKind.WRONG_STATE, message)
        elif self.image is Image.BROKEN:
            reply.fail(ErrorKind.FAILED, "operation failed: save image is corrupt")
        elif not self.can_open_disks():
            message = f"Cannot access storage file '{self.disk}': No such file or directory"
            reply.fail(ErrorKind.SYSTEM, message)
        elif self.lacks:
            reply.fail(ErrorKind.FAILED, f"network '{self.lacks}' is not active")
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
            self._restored(reply.by)
        else:
            self._booted(reply.by)
        reply.ok()

    def _booted(self, by: By) -> None:
        self._note(Fate.BOOTED, by)
        if self.image is not Image.NONE:
            self.images.drop()
        self._begin_to_run()
        self._presses, self._obeys_at = 0, inf
        self._hears_from = self._loop.time() + self.behaviour.boots
        self._set(State.RUNNING, "booted")
        self._emit(EventKind.STARTED, "booted")
        self._connect_agent()

    def _restored(self, by: By) -> None:
        self._consume_image(by)
        self._begin_to_run()
        self._emit(EventKind.STARTED, "restored")
        self._connect_agent()
        self._obeys_at = self._loop.time() + self._image_obeys
        self._later(self._image_obeys, self.shut_itself_down, by)
        if self._image_paused and not self._image_runs:
            self._set(State.PAUSED, "from snapshot")
            self._emit(EventKind.SUSPENDED)
        else:
            self._run("restored")

    def _connect_agent(self) -> None:
        if self.behaviour.agent not in (Agent.NONE, Agent.ABSENT):
            self._later(self.behaviour.boots, self._emit, EventKind.AGENT, "connected")

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
            self._ask_agent(reply, lambda: self._take_time(reply, seconds))

    def ping_agent(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        else:
            self._ask_agent(reply, reply.ok)

    def addresses(self, reply: Reply) -> None:
        if not self.up:
            reply.fail(ErrorKind.WRONG_STATE, NOT_RUNNING)
        else:
            reply.ok((self.address,) if self.has_run(self.behaviour.address) else ())

    def _take_time(self, reply: Reply, seconds: float) -> None:
        self.clock = seconds
        reply.ok()

    # -- what others do with it ------------------------------------------------------------------

    def pause(self, reason: str = "user") -> None:
        """As `virsh suspend` does, which waits for no job; reason: libvirt's word for why."""
        if self.state is State.RUNNING:
            self._suspend(reason)

    def crash(self) -> None:
        """A panic, with on_crash=destroy."""
        if self.up:
            self._emit_qemu("GUEST_PANICKED", "pause")
            self._emit(EventKind.CRASHED, "panicked")
            self.go_down("crashed", By.ITSELF, Fate.CRASHED)

    def rename(self, name: str) -> None:
        """libvirt renames guests that are off."""
        assert not self.up, "libvirt renames no guest that is up"
        self._emit(EventKind.UNDEFINED, "renamed")
        self.name = name
        self._emit(EventKind.DEFINED, "renamed")

    def undefine(self) -> None:
        """A running guest becomes a transient one; libvirt keeps one that has a save."""
        if self.image is not Image.NONE:
            return
        self.persistent, self.autostart = False, False
        self._emit(EventKind.UNDEFINED, "removed")
        if not self.up:
            self._owner.remove(self)
