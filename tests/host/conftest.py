"""Hosts with guestctl installed; a failed test keeps their journals and consoles."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pluggy
import pytest

from tests.command import PROJECT
from tests.host.stage import Stage
from tests.package import package
from tests.testbed.archive import debs
from tests.testbed.host import Host

EVIDENCE = PROJECT / "test-evidence"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
NewHost = Callable[[str], Host]


@pytest.fixture
def new_host(request: pytest.FixtureRequest) -> Iterator[NewHost]:
    """Makes hosts of a Debian generation, off, with guestctl installed and enabled."""
    hosts: list[Host] = []
    with ExitStack() as stack:

        def make(suite: str) -> Host:
            host = stack.enter_context(Host(suite, f"{suite}-{len(hosts)}"))
            hosts.append(host)
            install(host)
            return host

        yield make
        if has_failed(request):
            keep_evidence(request, hosts)


@pytest.fixture(scope="session")
def stage(suite: str) -> Iterator[Stage]:
    """Where the shared host of that generation stands."""
    stage = Stage(suite, install)
    yield stage
    stage.close()


@pytest.fixture
def host(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Host]:
    """The shared host, on, with the guests of the module's CAST running."""
    host = stage.host(request.module.CAST, request.module.__name__)
    yield host
    if has_failed(request):
        keep_evidence(request, [host])
        stage.close()


def install(host: Host) -> None:
    """Put guestctl's package on the disk of a host that is off."""
    host.run_on_disk(["dpkg", "--install", copy_package(host)])
    if host.suite == "bookworm":
        share_boot_id(host)


def install_debs(host: Host, package: str) -> None:
    """Put a package that the image lacks on the disk of a host that is off, and what it needs."""
    for deb in debs(host.suite, package):
        shutil.copy(deb, host.root / "var/tmp")
    paths = [f"/var/tmp/{deb.name}" for deb in debs(host.suite, package)]
    host.run_on_disk(["dpkg", "--install", *paths])


def share_boot_id(host: Host) -> None:
    """Show the sandboxed units the id that this boot of the host has.

    systemd-nspawn mounts it over the kernel's, and the /proc that systemd 252 makes for a
    sandbox does not have that mount: the same id for ever, on a host that is not a real machine.
    Later ones copy it.  Where packages have drop-ins: in /etc it would be an administrator's.
    """
    tmpfiles = host.root / "etc/tmpfiles.d/boot-id.conf"
    tmpfiles.write_text(f"C /run/boot-id - - - - {BOOT_ID}\n")
    for unit in (PROJECT / "systemd").glob("*.service"):
        if unit.name == "guestctl-probe.service":
            continue  # it sees no more of /proc than processes
        drop_in = host.root / f"usr/local/lib/systemd/system/{unit.name}.d/boot-id.conf"
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text(f"[Service]\nBindReadOnlyPaths=/run/boot-id:{BOOT_ID}\n")


def copy_package(host: Host) -> str:
    """Put the file of guestctl's package on the host's disk; its path there."""
    path = Path("/var/tmp", package().name)
    shutil.copy(package(), host.root / path.relative_to("/"))
    return str(path)


def keep_evidence(request: pytest.FixtureRequest, hosts: list[Host]) -> None:
    """Copy what a person needs to see why the test failed."""
    for host in hosts:
        folder = EVIDENCE / re.sub(r"[^\w.-]+", "_", request.node.name) / host.name
        host.keep_evidence(folder)
        print(f"kept the journal and the consoles of {host.name} in {folder}")


FAILED = pytest.StashKey[bool]()


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Whether the test that the fixture is for has failed."""
    return bool(request.node.stash.get(FAILED, False))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Note a failure of the test itself, for the fixtures that end after it."""
    report = (yield).get_result()
    if call.when == "call" and report.failed:
        item.stash[FAILED] = True
