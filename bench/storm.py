"""A thousand guests stop at once: is every event heard, and how long until the last verdict?

The guests are those of libvirt's test driver, which stops them as fast as it is asked to.  What
QEMU would have said is replayed beside its lifecycle events.  The ledger is on the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

from guestctl.cli.display import Display
from guestctl.config.config import Config
from guestctl.host import machine, tasks
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.locks import HostRunLock
from guestctl.host.storage import HostStorage
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.event import EventKind, GuestEvent
from guestctl.model.guest import GuestId
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.stop import How, StoppedBy
from guestctl.runs.context import Context
from guestctl.service.state import ServiceState
from guestctl.service.watch import Told, Watch

from .common import table
from .thousand import GUEST, URI

LIMIT = 60.0
PREFIX = "guest-"
Sort = tuple[StoppedBy, How]
#: What is replayed of QEMU's events, by what it is to lead to.
REPLAYED: dict[Sort, tuple[tuple[str, str, bool], ...]] = {
    (StoppedBy.USER, How.SHUT_DOWN): (("SHUTDOWN", "guest-shutdown", True),),
    (StoppedBy.ADMINISTRATOR, How.SHUT_DOWN): (
        ("POWERDOWN", "", False),
        ("SHUTDOWN", "guest-shutdown", True),
    ),
    (StoppedBy.ADMINISTRATOR, How.POWERED_OFF): (("SHUTDOWN", "host-signal", False),),
    (StoppedBy.USER, How.HIBERNATED): (
        ("SUSPEND_DISK", "", False),
        ("SHUTDOWN", "guest-shutdown", True),
    ),
}
SORTS = tuple(REPLAYED)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--guests", type=int, default=1000)
    chosen = parser.parse_args()
    conn = libvirt.open(URI)
    for number in range(chosen.guests):
        conn.defineXML(GUEST.format(f"guest-{number}")).create()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ledger = LedgerWriter(Path(folder) / "ledger.db", machine.now, print)
        found = asyncio.run(Storm(ledger, folder, chosen.guests).run())
        ledger.close()
    table(f"{chosen.guests} guests of the test driver stop, as fast as they can be stopped", found)


class Replayed(LibvirtHypervisor):
    """Says of itself that QEMU's events are heard, and is told them by the bench."""

    @property
    def monitored(self) -> bool:
        return True

    def replay(self, event: GuestEvent) -> None:
        """As if libvirt had passed it on."""
        self._pass_on(event)


class Storm:
    """One storm, from a calm host to the last verdict."""

    def __init__(self, ledger: LedgerWriter, folder: str, guests: int) -> None:
        self._folder = folder
        self._ledger = ledger
        self._guests = guests
        self._hypervisor = Replayed(URI)
        self._heard: Counter[EventKind] = Counter()
        self._told = 0

    async def run(self) -> list[tuple[str, str, str]]:
        """The figures."""
        context = Context({}, HostStorage(), self._ledger, Display(), machine.now, "this boot")
        self._hypervisor.listen(self._count)
        state = ServiceState(context, Config(), HostRunLock(Path(self._folder), print), _nothing)
        told = Told(_nothing, self._hear_stop, _nothing, _nothing)
        watch = Watch(state, self._hypervisor, told)
        following = asyncio.create_task(watch.follow())
        await self._until(lambda: not watch.trouble)
        begun = time.perf_counter()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._stop_all, args=(loop,), daemon=True).start()
        await self._until(lambda: self._heard[EventKind.STOPPED] >= self._guests)
        heard = time.perf_counter() - begun
        await self._until(lambda: self._told >= self._guests)
        judged = time.perf_counter() - begun
        following.cancel()
        await asyncio.wait([following])
        return self._figures(heard, judged, await self._verdicts())

    def _count(self, event: GuestEvent) -> None:
        if is_ours(event.name):
            self._heard[event.kind] += 1

    def _hear_stop(self, record: GuestRecord) -> None:
        self._told += is_ours(record.name)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not holds():  # noqa: ASYNC110 - to the millisecond is enough
                await asyncio.sleep(0.001)

    def _stop_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: as an administrator's program would, and QEMU's events just before."""
        conn = libvirt.open(URI)
        active = conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        for domain in (one for one in active if is_ours(one.name())):
            sort = sort_of(domain.name())
            for name, cause, by_guest in REPLAYED[sort]:
                event = self._event(loop, domain, name, cause, by_guest)
                tasks.call_soon(loop, lambda event=event: self._hypervisor.replay(event))  # type: ignore[misc]  # bound now
            domain.destroy() if sort[1] is How.POWERED_OFF else domain.shutdown()

    def _event(
        self, loop: asyncio.AbstractEventLoop, domain: Any, name: str, cause: str, by_guest: bool
    ) -> GuestEvent:
        guest = GuestId(URI, domain.UUIDString())
        kind = EventKind.MONITOR
        return GuestEvent(guest, domain.name(), kind, name, cause, by_guest, loop.time())

    async def _verdicts(self) -> Counter[bool]:
        """Whether each guest's verdict is what was replayed, in the ledger as it is on the disk."""
        nothing: dict[GuestId, GuestRecord] = {}
        records = await self._ledger(Ledger.guests, nothing)
        stormy = [record for record in records.values() if is_ours(record.name)]
        return Counter(
            record.wanted is Wanted.OFF and (record.stopped_by, record.how) == sort_of(record.name)
            for record in stormy
        )

    def _figures(
        self, heard: float, judged: float, verdicts: Counter[bool]
    ) -> list[tuple[str, str, str]]:
        monitor = sum(len(REPLAYED[sort_of(f"guest-{n}")]) for n in range(self._guests))
        lost = self._guests - self._heard[EventKind.STOPPED]
        lost += monitor - self._heard[EventKind.MONITOR]
        right = verdicts[True]
        return [
            ("events lost", f"{lost}", "aim: 0"),
            ("guests judged, and rightly", f"{right}", f"of {self._guests}"),
            ("until the last event was heard", f"{heard:.2f} s", ""),
            ("until the last verdict was in the ledger", f"{judged:.2f} s", ""),
            ("  for each guest", f"{judged / self._guests * 1000:.2f} ms", ""),
        ]


def sort_of(name: str) -> Sort:
    """What becomes of the guest of that name."""
    return SORTS[int(name.removeprefix(PREFIX)) % len(SORTS)]


def is_ours(name: str) -> bool:
    """Whether it is not the guest that the test driver always has."""
    return name.startswith(PREFIX)


def _nothing(*_: object) -> None:
    """Nobody has to be told."""


if __name__ == "__main__":
    main()
