"""A daemon of libvirt's that is restarted again and again costs whoever follows it nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.model.ports import HypervisorError
from tests.testbed.session import SessionDaemon
from tests.unit.private_bus import open_fds

pytestmark = pytest.mark.guests

#: `make soak` has it done 80 times.
RESTARTS = 80 if int(os.environ.get("SOAK", "1")) > 1 else 8
#: After so many all is open that will ever be.
FIRST = 3


def test_nothing_is_left_of_each(web: str, daemon: SessionDaemon) -> None:
    counts: list[tuple[int, int]] = []

    async def follow() -> None:
        hypervisor = LibvirtHypervisor(daemon.uri)
        hypervisor.listen(lambda _: None)
        for _ in range(RESTARTS):
            ended = await _subscribed(hypervisor)
            assert web in [guest.name for guest in await hypervisor.guests()]
            counts.append((open_fds(), threading.active_count()))
            await asyncio.to_thread(daemon.restart_daemon)
            await asyncio.wait_for(ended.wait(), 20)
        await _subscribed(hypervisor)
        await hypervisor.close()

    asyncio.run(follow())
    most_fds, most_threads = map(max, zip(*counts[:FIRST], strict=True))
    assert counts[-1][0] <= most_fds + 2
    assert counts[-1][1] <= most_threads + 2


async def _subscribed(hypervisor: LibvirtHypervisor) -> asyncio.Event:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(HypervisorError):
                return await hypervisor.subscribe()
            await asyncio.sleep(0.1)
