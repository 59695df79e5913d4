"""Guests whose QEMU answers nothing, as many as libvirtd has workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.model.guest import State
from guestctl.model.options import Method
from guestctl.model.ports import within
from tests.testbed.guests import GuestSpec
from tests.testbed.processes import belongs_to, send
from tests.testbed.session import SessionDaemon

pytestmark = pytest.mark.guests

#: Each call on a frozen guest keeps one of them busy for 30 s at least.
WORKERS = 2
CONF = f"min_workers = 1\nmax_workers = {WORKERS}\n"
FROZEN = tuple(f"frozen {number}" for number in range(WORKERS + 1))
HEALTHY = "healthy"
SOON = 8.0


@pytest.fixture(scope="module")
def busy() -> Iterator[SessionDaemon]:
    with SessionDaemon(libvirtd_conf=CONF) as daemon:
        for name in (*FROZEN, HEALTHY):
            daemon.start(GuestSpec(name))
        for name in FROZEN:
            pid = daemon.qemu_pid(name)
            assert send(pid, signal.SIGSTOP, lambda number: belongs_to(number, daemon.folder))
        yield daemon


def test_others_are_read_and_plugs_pulled_meanwhile(busy: SessionDaemon) -> None:
    async def story() -> None:
        hypervisor = LibvirtHypervisor(busy.uri)
        frozen = [busy.id_of(name) for name in FROZEN]
        requests = [hypervisor.request_shutdown(uuid, Method.ACPI) for uuid in frozen]
        asking = [asyncio.create_task(request) for request in requests]
        await asyncio.sleep(1)
        try:
            healthy = await within(SOON, hypervisor.observe(busy.id_of(HEALTHY)))
            assert healthy is not None
            assert (healthy.state, healthy.saved) == (State.RUNNING, False)
            assert len(await within(SOON, hypervisor.guests())) == len(FROZEN) + 1
            assert not any(task.done() for task in asking)
            # libvirt gives a process that does not end 10 s before SIGKILL.
            await within(30, hypervisor.poweroff(frozen[0]))
            assert busy.state(FROZEN[0]) == "shut off"
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await hypervisor.close()

    asyncio.run(story())
