"""That a save was used up is on the disk before libvirt is asked to use it."""

from __future__ import annotations

import pytest

from tests.conftest import Guestctl
from tests.testbed.session import SessionDaemon

from .test_durability import CREATE_WITH_FLAGS, assert_synced_before, traced

pytestmark = pytest.mark.guests

#: The columns of the save's row, one behind the other: its state and the image resumed from.
#: While a save is only made, none of its states is this one.
RESUMING = b'resuming[{"disk"'


def test_used_up_before_it_is_resumed(daemon: SessionDaemon, web: str, guestctl: Guestctl) -> None:
    """A power cut may bring the image back: the next boot then knows that it is stale."""
    guestctl.run("shutdown", "--preserve", web)
    up = traced(daemon, guestctl.argv("start", web))
    assert_synced_before(up, RESUMING, CREATE_WITH_FLAGS)
