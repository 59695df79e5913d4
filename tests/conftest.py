"""What all tests share: the groups that can run, property tests' ways, real guests' daemon."""

from __future__ import annotations

import gc
import os
import re
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.command import Guestctl as Guestctl
from tests.command import install as install
from tests.leaks import nothing_left as nothing_left
from tests.leaks import nothing_left_of_all as nothing_left_of_all
from tests.testbed.prerequisites import missing
from tests.testbed.session import SessionDaemon

# Reproducible, so that a red run says something about the change and not about the dice; no
# time limit for one example, since a busy machine is no fault of the code.
settings.register_profile(
    "tests",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# A share of them, for `make check`; `make test` takes them all.
settings.register_profile("quick", settings.get_profile("tests"), max_examples=15)
settings.load_profile("tests")


def pytest_configure() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and so would we ours."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `--dist loadgroup`: each module in one process, which keeps its daemon and its host."""
    return Modules(config, log) if config.getvalue("dist") == "loadgroup" else None


#: What takes minutes, longest first: begun last, it would go on when all else is over.
LONG = (
    "host/test_who_stopped",
    "host/test_time_limits",
    "host/test_triggers",
    "host/test_hostile",
    "host/test_package",
    "host/test_takeover_interrupted",
    "host/test_late",
    "host/test_daemon_dies",
    "host/test_autostart",
    "host/test_doctor",
    "host/test_order",
    "host/test_takeover",
    "host/test_takeover_units",
    "host/test_ups",
    "host/test_restarts",
    "host/test_doctor_runs",
    "guests/test_shutdown_limit",
    "host/test_takeover_auto_shutdown",
    "host/test_package_life",
    "guests/test_failures_time",
    "host/test_bus_runs",
    "guests/test_failures_kills",
    "host/test_libvirt_guests",
)


class Modules(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands each module out as a whole, to whoever is free.

    A process has one session daemon, and one shared host of each generation: those of the modules
    that come first to it.  A generation's modules come one after the other.
    """

    def _split_scope(self, nodeid: str) -> str:
        suite = re.search(r"[-\[](bookworm|trixie|forky)\b", nodeid)
        return f"{nodeid.partition('::')[0]} {suite and suite[1]}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules are begun first, by xdist's processes too, which know no `--dist`."""
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """When a test is begun; those of one module, and of all that are short, stay as they are."""
    name = item.nodeid.partition(".py::")[0].removeprefix("tests/")
    return LONG.index(name) if name in LONG else len(LONG)


def pytest_collection_finish() -> None:
    """Each simulated story leaves cycles behind; collecting them need not look at all of pytest."""
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--suite`, several times if need be: on which Debian generations host tests run."""
    parser.addoption("--suite", action="append", choices=["bookworm", "trixie", "forky"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A host test runs once for each generation chosen."""
    if "suite" in metafunc.fixturenames:
        suites = metafunc.config.getoption("--suite") or ["trixie"]
        # One generation after the other: its tests share a host.
        metafunc.parametrize("suite", suites, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a group that cannot run here, by name and reason; in CI that is a failure."""
    for group in ("guests", "hosts"):
        if item.get_closest_marker(group) and (reason := missing(group)):
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must run the {group} tests, but: {reason}", pytrace=False)
            pytest.skip(f"{group}: {reason}")


@pytest.fixture(scope="session")
def daemon() -> Iterator[SessionDaemon]:
    """A libvirt session daemon for real guests, with guestctl where its user can read it."""
    with SessionDaemon() as running:
        install(running)
        yield running


@pytest.fixture
def guestctl(daemon: SessionDaemon) -> Guestctl:
    """The command with a fresh ledger and the default configuration."""
    state = daemon.folder / f"state-{os.urandom(4).hex()}"
    daemon.run(["mkdir", str(state)])
    return Guestctl(daemon, state)
