"""Guests and daemons that several modules use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl, install
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import fresh, running

WEB = GuestSpec("web ✓ 1")
#: Does `virsh dump` slowly too.
SLOW_CONF = 'dump_image_format = "lzop"\n'


@pytest.fixture
def web(daemon: SessionDaemon) -> str:
    """The name of a running guest; it is booted once and then lives on."""
    running(daemon, WEB)
    return WEB.name


@pytest.fixture(scope="session")
def slow() -> Iterator[SessionDaemon]:
    """A second daemon, whose saves are as slow as a test wants them."""
    with SessionDaemon(slow_saves=True, qemu_conf=SLOW_CONF) as running:
        install(running)
        yield running


@pytest.fixture
def slow_web(slow: SessionDaemon) -> str:
    """The name of a running guest of the slow daemon."""
    slow.set_save_rate(0)
    running(slow, WEB)
    return WEB.name


@pytest.fixture
def slow_guestctl(slow: SessionDaemon) -> Guestctl:
    """The command on the slow daemon, with a fresh ledger."""
    return fresh(slow)
