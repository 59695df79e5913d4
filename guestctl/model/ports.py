"""What the middle of guestctl needs from the world, as Protocols, and how the world fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol, TypeVar

from .event import GuestEvent, Job
from .guest import Disk, DomainInfo, GuestFacts
from .options import Method
from .policy_change import PolicyChange
from .save import Stamp
from .stop import RivalStop
from .units import show_duration

T = TypeVar("T")

#: Seconds for reading states and XML: quick, but for a guest whose QEMU is just being ended.
READ_LIMIT = 30.0
#: For what a guest's QEMU or agent has to answer, or a busy daemon has to do; libvirt's own limit
#: for the state change lock is 30 s.
CALL_LIMIT = 35.0


class ErrorKind(StrEnum):
    """Ways in which a call to a hypervisor fails, as far as it matters what comes next."""

    UNREACHABLE = "unreachable"
    NOT_PERMITTED = "not permitted"
    NO_GUEST = "no such guest"
    UNSUPPORTED = "not supported"
    WRONG_STATE = "wrong state"
    ABORTED = "aborted"
    NO_ANSWER = "no answer"
    SYSTEM = "system error"
    FAILED = "failed"


#: Characters of an error's text: a guest's agent may send megabytes, which would go into the
#: journal and the trail.
LONGEST_ERROR = 1000


class HypervisorError(Exception):
    """A call to a hypervisor, or a look at the files behind it, failed; the text says how.

    Of a text that is too long the middle is left out.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        self.kind = kind
        super().__init__(_shortened(message))


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_ERROR:
        return text
    half = LONGEST_ERROR // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]} … {left_out} characters … {text[-half:]}"


async def within(seconds: float, call: Awaitable[T]) -> T:
    """The call's result; HypervisorError(NO_ANSWER) when it takes longer.

    The call itself cannot be taken back: libvirt may still carry it out.
    """
    # Not wait_for: before Python 3.12 it can swallow a cancellation (cpython issue 86296).
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        text = f"no answer within {show_duration(seconds)}"
        raise HypervisorError(ErrorKind.NO_ANSWER, text) from None


class Hypervisor(Protocol):
    """One libvirt connection.  Every method but `listen` raises HypervisorError.

    None of the calls has a time limit of its own: callers bound them (`within`).  There is a
    method for each thing that guestctl asks of libvirt, and no other.
    """

    @property
    def uri(self) -> str:
        """The URI as configured: it is part of each guest's identity."""

    def listen(self, listener: Callable[[GuestEvent], None]) -> Callable[[], None]:
        """Have events of guests handed to the listener, on the event loop; returns its end."""

    def listen_around(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have the listener called, on the event loop, when networks, storage pools or devices of
        the host come or go, or settings in guests' XML change; returns its end."""

    @property
    def monitored(self) -> bool:
        """Whether the events heard now are those of QEMU's monitor as well."""

    async def subscribe(self) -> asyncio.Event:
        """Events are heard from now on; what is returned is set once they are not any more."""

    async def guests(self) -> list[GuestFacts]:
        """Every guest, running or not."""

    async def observe(self, uuid: str) -> GuestFacts | None:
        """One guest, or None when there is none with that UUID any more."""

    async def job(self, uuid: str) -> Job | None:
        """What the guest is busy with."""

    async def abort_job(self, uuid: str) -> None:
        """Have the guest's job aborted (virDomainAbortJob)."""

    async def block_jobs(self, uuid: str) -> tuple[Job, ...]:
        """What its disks are busy with (virDomainGetBlockJobInfo)."""

    async def abort_block_job(self, uuid: str, disk: str) -> None:
        """Have a disk's job aborted (virDomainBlockJobAbort); the guest stays on that disk."""

    async def save(self, uuid: str, *, bypass_cache: bool, runs_again: bool = False) -> None:
        """Managed save; returns when the guest is down (virDomainManagedSave).

        bypass_cache: past the host's page cache, where the file system can do that.
        runs_again: resumed from it, it runs, also where it is paused as it is saved.
        """

    async def request_shutdown(self, uuid: str, method: Method) -> None:
        """Ask the guest to shut down; that it was asked is all that a return means."""

    async def set_restarts(self, uuid: str, *, restarts: bool) -> None:
        """Whether the guest, as it runs now, starts anew when it powers itself off
        (virDomainSetLifecycleAction)."""

    async def wake(self, uuid: str) -> None:
        """Wake a guest that is suspended to RAM (virDomainPMWakeup)."""

    async def unpause(self, uuid: str) -> None:
        """Let a paused guest run (virDomainResume)."""

    async def poweroff(self, uuid: str) -> None:
        """Pull the plug (virDomainDestroy)."""

    async def start(self, uuid: str, *, boot_anew: bool = False, bypass_cache: bool = False) -> str:
        """Start the guest, from its managed save if it has one (virDomainCreate); what was done
        otherwise than asked, empty for nothing.

        boot_anew: never from a save; one that is there all the same is removed.
        bypass_cache: the save is read past the host's page cache, where the file system can do
        that.
        """

    async def started_once(self) -> frozenset[str]:
        """The UUIDs of guests that libvirt is to start at the next boot, and that one alone."""

    async def use_up_autostart_once(self, uuid: str) -> None:
        """It was started, or will be: libvirt is not to do it at a later boot any more."""

    async def domain_info(self, uuids: Collection[str]) -> dict[str, DomainInfo]:
        """What the XML of these guests says, without those whose XML cannot be read."""

    async def change_policy(self, uuid: str, change: PolicyChange) -> str:
        """Change the settings that the guest's XML gives: of its definition, and of the running
        guest, in one call (virDomainSetMetadata).

        Empty, or why nothing was changed.  After an error it is open what was.
        """

    async def discard_save(self, uuid: str) -> None:
        """Remove the guest's managed save image (virDomainManagedSaveRemove)."""

    async def set_time(self, uuid: str, seconds: float) -> None:
        """Set the guest's clock through its agent (virDomainSetTime)."""

    async def ping_agent(self, uuid: str) -> None:
        """Have the guest agent answer; that it has is all that a return means.

        UNSUPPORTED: it has none; NO_ANSWER: it does not answer now.
        """

    async def addresses(self, uuid: str) -> tuple[str, ...]:
        """IP addresses of the guest by which others reach it, as its agent, else leases, else ARP
        know them (virDomainInterfaceAddresses); none where nobody knows any."""

    async def close(self) -> None:
        """Let go of every connection."""


class Probe(Protocol):
    """Reaching guests over the network."""

    async def connects(self, address: str, port: int, limit: float) -> str:
        """Why no TCP connection to there was accepted within so many seconds; empty where one
        was.  Never raises; callers bound it all the same."""


class Storage(Protocol):
    """The host's files behind guests.  None of the calls raises; callers bound them."""

    async def stamps(self, disks: Iterable[Disk]) -> dict[Disk, Stamp]:
        """Each disk as it is now, and files in which some of them have their data."""

    async def image(self, guest: GuestFacts) -> Stamp | None:
        """The file of the guest's managed save; None where it is not known where that is."""

    async def content(self, guest: GuestFacts) -> str:
        """What tells the memory in that file from any other, whatever was done to the file.

        Empty where that cannot be read.
        """

    async def folder(self, guest: GuestFacts) -> Stamp | None:
        """The folder of that file: its inode tells it from what is there before it is mounted."""

    async def present(self, names: Iterable[str]) -> frozenset[str]:
        """Those of these files, devices and folders that are there."""

    async def room(self, uri: str) -> int | None:
        """Bytes free where a connection's managed saves go; None where that is not known."""


class Login(Protocol):
    """What the service needs of logind."""

    async def preparing(self) -> bool | None:
        """Whether a shutdown is announced; None where that cannot be read."""

    def inhibit(self, wanted: bool) -> None:
        """Have an inhibitor that delays the host's shutdown held, or let go of."""


class Daemons(Protocol):
    """libvirt's daemons, asked of systemd where no connection can be made.  None of the calls
    raises; callers bound them."""

    async def running_guests(self, uri: str) -> tuple[str, ...]:
        """Names of the guests that run there, as far as that can be told."""

    async def is_gone(self, uri: str) -> bool:
        """Whether it is known that no daemon of this connection is there, or comes by itself."""

    async def start(self, uri: str) -> str:
        """Start the daemon that was there last in this boot; its name, empty for none."""


class Mounts(Protocol):
    """The host's mounts.  None of the calls raises; callers bound them."""

    async def keep(self, uris: Iterable[str], paths: Iterable[str]) -> None:
        """Have what these files, and the saves of these connections, are on stay mounted until
        guestctl has stopped; and remember which folders of saves they are."""

    async def displaced(self, uris: Iterable[str]) -> frozenset[str]:
        """Connections whose folder of saves is another one than remembered."""


class Rival(Protocol):
    """libvirt-guests.service, which takes guests down as it is stopped.  It never raises; callers
    bound it."""

    async def newest_stop(self) -> RivalStop | None:
        """Its newest stop in this boot that had guests to take down, and which."""


class LockHeld(Exception):
    """Another run has the lock; the text says which."""


class RunLock(Protocol):
    """One run at a time on this host, whoever begins it."""

    def is_held(self) -> bool:
        """Whether a run is under way."""

    def hold(
        self, what: str, limit: float, *, ask: bool = False, ends: str = ""
    ) -> AbstractAsyncContextManager[None]:
        """Hold the lock; where another run has it, wait for it so many seconds.

        what: who holds it, for whoever comes second.
        ask: then tell the other run to end, and after a while go on beside it: a host that goes
        down does not wait for an operator's run.  Without, LockHeld is raised then.
        ends: one of which `what` begins so is told to end all the same, and waited for.
        """
