"""Settings in a guest's metadata survive what happens to guests: shown on real ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guestctl.host.libvirt.policy_xml import NAMESPACE
from tests.conftest import Guestctl
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import by_name, cleared, last_tick, trail, went_on

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


def own(daemon: SessionDaemon, *flags: str) -> str:
    """The element in the guest's XML, with what is there of others."""
    xml = daemon.virsh("dumpxml", *flags, NAME)
    return xml.partition("<metadata>")[2].partition("</metadata>")[0]


def test_policy_sets_them_wherever_they_are_kept(daemon: SessionDaemon, guestctl: Guestctl) -> None:
    with cleared(daemon):
        daemon.start_all([GuestSpec(NAME)])
        app = ["metadata", NAME, "urn:other", "--key", "app", "--set", "<app/>"]
        daemon.virsh(*app, "--live", "--config")
        asked = ["--set", "retries=7", "after=db-*,dns"]
        said = guestctl.run("policy", NAME, *asked, "--reason", "moved here")
        assert f'{NAME}: after is "db-* dns", was not set' in said.stdout
        assert own(daemon) == own(daemon, "--inactive")
        assert 'retries="7" after="db-* dns"' in own(daemon)
        assert "moved here" in trail(guestctl, NAME)
        expected = {"retries": 7, "after": ["db-*", "dns"]}
        assert values(guestctl) == expected
        daemon.restart_daemon()
        assert values(guestctl) == expected
        assert own(daemon) == own(daemon, "--inactive")
        before = last_tick(daemon, NAME)
        down = guestctl.json("shutdown", "--preserve", NAME)
        assert by_name(down)[NAME]["outcome"] == "saved"
        # Of a guest that is off the definition is changed; its save has its memory's day.
        guestctl.run("policy", NAME, "--set", "retries=8", "--unset", "after")
        assert by_name(guestctl.json("start", NAME))[NAME]["outcome"] == "resumed"
        assert went_on(daemon, NAME, before)
        assert values(guestctl) == {"retries": 8}
        assert 'retries="7"' in own(daemon)
        guestctl.run("policy", NAME, "--set", "save=none")
        assert own(daemon) == own(daemon, "--inactive")
        guestctl.run("policy", NAME, "--unset", "retries", "save")
        assert NAMESPACE not in own(daemon) + own(daemon, "--inactive")
        assert 'xmlns:app="urn:other"' in own(daemon, "--inactive")


def test_a_disk_that_took_nothing_is_said(daemon: SessionDaemon, guestctl: Guestctl) -> None:
    """libvirt has changed what it shows by then: what was not written is lost as it ends."""
    with cleared(daemon):
        daemon.define(GuestSpec(NAME))
        guestctl.run("policy", NAME, "--set", "retries=7")
        folder = str(daemon.folder / "c/libvirt/qemu")
        daemon.run(["chmod", "500", folder])
        try:
            said = guestctl.run("policy", NAME, "--set", "retries=8", status=1).stderr
            assert "ermission denied" in said
            assert "maybe not on disk: give the same command once more" in said
            assert values(guestctl) == {"retries": 8}
        finally:
            daemon.run(["chmod", "700", folder])
        guestctl.run("policy", NAME, "--set", "retries=8")
        daemon.restart_daemon()
        assert values(guestctl) == {"retries": 8}
