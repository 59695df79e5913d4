"""Whatever makes a host go down in order: its guests are safe, and back after the boot.

Each goes by the profile of its kind.  Profiles differ in limits, which the trails tell: one that is
never reached, of saves, and one that is, of the guest that ignores its button.
"""

from __future__ import annotations

import re

import pytest

from tests.host.service import configured
from tests.host.stage import DOZEN
from tests.host.support import (
    Before,
    assert_back,
    came_out,
    journal_since,
    look,
    outcomes,
    trail,
    wait_restored,
)
from tests.testbed.host import Host
from tests.testbed.triggers import TRIGGERS, Ending, Trigger, pass_through

pytestmark = pytest.mark.hosts

CAST = DOZEN
SAVED, IGNORES = CAST.saved[0], "ignores"
#: What a save, and a request that is ignored, may take: by profile, and "" where there is none.
#: The usual limit of a request is beyond logind's delay, after which systemd 252 tells the kind.
SAVE = {"": "10min", "poweroff": "9min", "reboot": "8min"}
SHUTDOWN = {"": "20s", "poweroff": "3s", "reboot": "4s"}
PROFILES = f"""
[profile.poweroff]
save-timeout = "{SAVE["poweroff"]}"
[profile.reboot]
save-timeout = "{SAVE["reboot"]}"

[[guest]]
match = "{IGNORES}"
shutdown-timeout = "{SHUTDOWN[""]}"
[guest.profile.poweroff]
shutdown-timeout = "{SHUTDOWN["poweroff"]}"
[guest.profile.reboot]
shutdown-timeout = "{SHUTDOWN["reboot"]}"
"""
ANNOUNCED = "logind announces that the host goes down"
UNKNOWN = "the host goes down, it is not known in which way: the usual settings are in force"
ANEW = "the run begins anew: other settings turn out to be in force"


@pytest.fixture
def trigger(request: pytest.FixtureRequest, suite: str) -> Trigger:
    """The trigger, where that generation has it."""
    trigger: Trigger = request.param
    if suite not in trigger.suites:
        pytest.skip(f"{suite} has no {trigger.command}")
    return trigger


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.command, indirect=True)
def test_all_are_back(trigger: Trigger, host: Host, suite: str) -> None:
    before = look(host, CAST.names)
    with configured(host, PROFILES):
        pass_through(host, trigger)
        wait_restored(host)

    turns_out = suite == "bookworm" and suite in trigger.announced
    how = came_out if turns_out else outcomes
    assert how(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)
    assert "wanted off, unless" not in journal_since(host, before.at)
    assert_by_profile(host, trigger, before, turns_out=turns_out)


def assert_by_profile(host: Host, trigger: Trigger, before: Before, *, turns_out: bool) -> None:
    """From the beginning, or from SIGTERM on, where it turns out then how the host goes down."""
    profile = "poweroff" if trigger.ending is Ending.OFF else "reboot"
    journal = journal_since(host, before.at)
    assert (ANNOUNCED in journal) == (host.suite in trigger.announced)
    assert f"goes down ({trigger.kind}): the profile {profile} is in force" in journal
    by = ["", profile] if turns_out else [profile]
    assert (UNKNOWN in journal, ANEW in journal) == (turns_out, turns_out)
    assert limits(host, IGNORES)[-len(by) :] == [("shutdown", SHUTDOWN[each]) for each in by]
    if not turns_out:
        assert limits(host, SAVED)[-1] == ("save", SAVE[profile])


def limits(host: Host, name: str) -> list[tuple[str, str]]:
    """The first step of each run for a stop of the host, and what it might take."""
    first = re.compile(r"host-stop: (\w+) \((?:about [^,]+, )?at most (\w+)\)")
    return [(found[1], found[2]) for each in trail(host, name) if (found := first.match(each))]
