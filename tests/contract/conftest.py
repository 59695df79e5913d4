"""The implementations that the contract is tested on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.behaviour import Save
from tests.testbed.session import SessionDaemon

from .benches import (
    NAME,
    Bench,
    QemuBench,
    SimulatedBench,
    TestDriverBench,
)


@pytest.fixture(scope="package")
def simulated() -> Bench:
    """The simulation."""
    return SimulatedBench()


@pytest.fixture(scope="package")
def test_driver() -> Iterator[Bench]:
    """libvirt's test driver, in this process."""
    bench = TestDriverBench()
    yield bench
    bench.close()


@pytest.fixture(scope="package")
def qemu(daemon: SessionDaemon) -> Iterator[Bench]:
    """One real guest for all tests: booting is what takes time."""
    yield QemuBench(daemon)
    daemon.virsh("undefine", "--managed-save", daemon.id_of(NAME))


@pytest.fixture(params=["simulated", "test_driver", pytest.param("qemu", marks=pytest.mark.guests)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each implementation in turn."""
    chosen: Bench = request.getfixturevalue(request.param)
    return chosen


# -- a save under way ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow_qemu() -> Iterator[Bench]:
    """A real guest whose save takes for ever; it need not have booted."""
    with SessionDaemon(slow_saves=True) as daemon:
        daemon.set_save_rate(50_000)
        yield QemuBench(daemon)


@pytest.fixture(params=["slow_simulated", pytest.param("slow_qemu", marks=pytest.mark.guests)])
def slow_bench(request: pytest.FixtureRequest) -> Bench:
    """The implementations in which a save takes time, with saves of several minutes."""
    chosen: Bench = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def slow_simulated() -> Bench:
    """The simulation with a slow disk."""
    return SimulatedBench(Save(after=600.0))
