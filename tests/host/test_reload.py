"""The service reads its configuration when told to, over the bus or, without one, by signal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.service import main_pid, status, while_written
from tests.host.stage import FEW
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
TWENTY = '[shutdown]\ndeadline = "20min"\n'
CHANGE = 'shutdown.deadline is "20min", was "25min"\n'
SAME = "the configuration is the same\n"


@pytest.fixture
def file(host: Host) -> Iterator[Path]:
    """A drop-in, which is gone from the service as well in the end."""
    path = host.root / "etc/guestctl/conf.d/reloaded.toml"
    yield path
    path.unlink(missing_ok=True)
    host.run(["systemctl", "reload", "guestctl"])


@contextlib.contextmanager
def bus_that_hangs(host: Host) -> Iterator[None]:
    """It takes connections, and says nothing."""
    host.run("systemctl kill --signal=STOP dbus")
    try:
        yield
    finally:
        host.run("systemctl kill --signal=CONT dbus")


def deadline(host: Host) -> str:
    """What the service has in use."""
    return str(status(host)["service"]["configuration"]["values"]["shutdown.deadline"])


def test_what_is_different_is_said(host: Host, file: Path) -> None:
    before = main_pid(host)
    file.write_text(TWENTY)
    assert while_written(host, file, "guestctl reload; guestctl reload").stdout == CHANGE + SAME
    assert deadline(host) == '"20min"'
    assert main_pid(host) == before


def test_mistakes_are_told_and_nothing_is_loaded(host: Host, file: Path) -> None:
    lines = [f'[[guest]]\nmatch = "guest {n}"\nsave = "sometimes"\n' for n in range(20)]
    file.write_text(TWENTY + "".join(lines))
    reload = host.run(["guestctl", "reload"], check=False)
    assert reload.returncode == 2
    assert reload.stdout == ""
    assert reload.stderr.count("reloaded.toml:") == 20
    assert "nothing was loaded" in reload.stderr
    assert deadline(host) == '"25min"'
    file.unlink()


def test_a_bus_that_hangs_keeps_no_root_from_it(host: Host, file: Path) -> None:
    file.write_text("[shutdown]\ndeadline = 20min\n")
    with bus_that_hangs(host):
        mistaken = host.run(["guestctl", "reload"], check=False)
        assert mistaken.returncode == 2
        assert "reloaded.toml:2" in mistaken.stderr
        file.write_text(TWENTY)
        # The service may have followed the file by itself while the bus was waited for.
        assert host.run(["guestctl", "reload"]).stdout in (CHANGE, SAME)
    wait_until(lambda: deadline(host) == '"20min"', 20, "the new deadline in use")


def test_without_a_service_there_is_nothing_to_reload(host: Host) -> None:
    host.run(["systemctl", "stop", "guestctl"])
    try:
        for verb in ("reload", "attach", "cancel"):
            done = host.run(["guestctl", verb], check=False)
            assert done.returncode == 1
            assert f"cannot {verb}: the service does not run" in done.stderr
    finally:
        host.run(["systemctl", "start", "guestctl"])
