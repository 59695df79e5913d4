"""What guests may need comes or goes: libvirt tells of it, by its own test driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import libvirt
import pytest

from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from tests.unit.running import run_async

#: Shared by the connections of one process.
URI = "test:///default"


def stop_and_start_network(conn: Any) -> None:
    network = conn.networkLookupByName("default")
    network.destroy()
    network.create()


def stop_and_start_pool(conn: Any) -> None:
    pool = conn.storagePoolLookupByName("default-pool")
    pool.destroy()
    pool.create()


@pytest.mark.parametrize("deed", [stop_and_start_network, stop_and_start_pool])
def test_networks_and_pools_are_heard_of(deed: Callable[[Any], None]) -> None:
    async def work() -> None:
        hypervisor, heard = LibvirtHypervisor(URI), asyncio.Event()
        end = hypervisor.listen_around(heard.set)
        await hypervisor.subscribe()
        conn = libvirt.open(URI)
        await asyncio.to_thread(deed, conn)
        async with asyncio.timeout(5):
            await heard.wait()
        end()
        conn.close()
        await hypervisor.close()

    run_async(work())
