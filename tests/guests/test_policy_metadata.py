"""Settings in a guest's metadata survive what happens to guests: shown on real ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guestctl.host.libvirt.policy_xml import NAMESPACE
from tests.conftest import Guestctl
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import by_name, cleared, last_tick, went_on

pytestmark = pytest.mark.guests

NAME = "own settings"


def set_policy(daemon: SessionDaemon, policy: str, *flags: str) -> None:
    """As an administrator does."""
    daemon.virsh(
        "metadata", NAME, NAMESPACE, "--key", "guestctl", "--set", policy, *flags, "--config"
    )


def values(guestctl: Guestctl) -> dict[str, Any]:
    """What counts of the guest's metadata."""
    found = json.loads(guestctl.run("policy", "--json", NAME).stdout)
    assert found["problems"] == []
    return {it["key"]: it["value"] for it in found["settings"] if it["from"] == "metadata"}


def test_they_survive_a_restart_a_redefine_and_a_save(
    daemon: SessionDaemon, guestctl: Guestctl
) -> None:
    with cleared(daemon):
        daemon.start_all([GuestSpec(NAME)])
        set_policy(daemon, '<policy retries="7"><after>db-*</after></policy>', "--live")
        expected = {"retries": 7, "after": ["db-*"]}
        assert values(guestctl) == expected
        daemon.restart_daemon()
        assert values(guestctl) == expected
        file = daemon.folder / "redefined.xml"
        file.write_text(daemon.virsh("dumpxml", "--inactive", NAME))
        daemon.virsh("define", str(file))
        assert values(guestctl) == expected
        before = last_tick(daemon, NAME)
        down = guestctl.json("shutdown", "--preserve", NAME)
        assert by_name(down)[NAME]["outcome"] == "saved"
        assert values(guestctl) == expected
        # The image of the save has the metadata of its day; the definition is what counts.
        set_policy(daemon, '<policy retries="8" save="none"/>')
        assert values(guestctl) == {"retries": 8, "save": "none"}
        assert by_name(guestctl.json("start", NAME))[NAME]["outcome"] == "resumed"
        assert went_on(daemon, NAME, before)
        assert values(guestctl) == {"retries": 8, "save": "none"}
        down = guestctl.json("shutdown", "--preserve", NAME)
        assert by_name(down)[NAME]["outcome"] == "shut-down"
