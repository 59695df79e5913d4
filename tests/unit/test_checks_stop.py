"""The doctor's checks of time limits, logind and autostart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.decisions.doctor import examine
from guestctl.model.finding import Finding, Severity
from guestctl.model.host_state import NotKnown
from guestctl.model.host_units import CLAIMER, Autostart, DropIn, HostWords, Setting
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.healthy import SAID, WORDS, facts, healthy, units, units_but
from tests.unit.makers import URI, guest, recorded

MINUTE = 60.0


def only(**differs: Any) -> Finding:
    (finding,) = examine(healthy(**differs))
    return finding


# How long a stop may take


def config(minutes: float, **profiles: float) -> Config:
    of_profiles = {name: {"deadline": it * MINUTE} for name, it in profiles.items()}
    return Config(shutdown=Shutdown(deadline=minutes * MINUTE), profiles=of_profiles)


LIMITS = [
    (1800.0, config(10), False),
    (None, config(10), False),
    (13 * MINUTE, config(10), False),
    (12 * MINUTE, config(10), True),
    (12 * MINUTE, config(5), False),
    (12 * MINUTE, config(5, reboot=10), True),
    (12 * MINUTE, config(5, ups=10), False),
]
DROP_IN = DropIn("/etc/systemd/system/reboot.target.d/x.conf", ("JobTimeoutSec=12min",))


@pytest.mark.parametrize(("limit", "configured", "told"), LIMITS)
def test_a_target_that_is_forced_before_the_deadline(
    limit: float | None, configured: Config, told: bool
) -> None:
    """The run heeds it."""
    seen = units_but("reboot.target", job_limit=limit, drop_ins=(DROP_IN,))
    found = examine(healthy(units=seen, facts=facts(config=configured)))
    assert [it.check for it in found] == ["deadline-too-long"] * told
    assert all(it.severity is Severity.WARNING and DROP_IN.path in it.evidence for it in found)
    text = "reboot.target is forced after 12min: guests have 9min, less than [shutdown] deadline"
    assert all(it.text == text for it in found)


@pytest.mark.parametrize(("limit", "has"), [(10.0, "0s"), (30.0, "15s")])
def test_a_target_that_is_forced_before_guests_are_through(limit: float, has: str) -> None:
    one = guest(memory=2**30)
    past = SaveRecord(one.id, one.memory, "", 40.0, SaveState.RESUMED, None)
    seen = units_but("reboot.target", job_limit=limit, drop_ins=(DROP_IN,))
    host = facts((one,), (recorded(),), saves=(past,))
    found = examine(healthy(units=seen, facts=host))
    (limited,) = (it for it in found if it.severity is Severity.ERROR)
    assert limited.check == "job-limit"
    assert DROP_IN.path in limited.evidence
    begins = f"reboot.target is forced after {limit:.0f}s: guests have {has}, and take about 4"
    assert limited.text.startswith(begins)
    assert "deadline-too-long" not in [it.check for it in found]


def test_a_target_that_is_forced_at_once_and_guests_of_which_nothing_is_known() -> None:
    finding = only(units=units_but("halt.target", job_limit=10.0))
    assert finding.text == "halt.target is forced after 10s: guests have 0s"
    assert finding.severity is Severity.ERROR


def test_a_deadline_that_no_stop_of_the_host_has() -> None:
    finding = only(facts=facts(config=config(40)))
    assert finding.check == "deadline-too-long"
    assert finding.text == (
        "a deadline of 40min is for commands: a stop of the host has 27min at most"
    )


# logind


def test_how_long_logind_waits_and_which_file_says_so() -> None:
    file = "/etc/systemd/logind.conf.d/delay.conf"
    words = HostWords(60.0, WORDS)
    finding = only(units=units(words=words, delay_set=Setting(file, "1min")))
    assert (finding.check, finding.severity) == ("logind-delay", Severity.NOTE)
    assert finding.text == "logind waits 60 s for guests before the host's services are stopped"
    assert finding.evidence == (f"InhibitDelayMaxUSec=60000000: InhibitDelayMaxSec=1min in {file}",)


def test_guests_that_take_longer_than_logind_waits() -> None:
    one = guest(memory=2**30)
    past = SaveRecord(one.id, one.memory, "", 9.0, SaveState.RESUMED, None)
    seen = facts((one,), (recorded(),), saves=(past,))
    finding = only(facts=seen)
    assert "they take about" in finding.text
    assert finding.text.endswith(", and what they need stays until then")
    assert finding.evidence == ("InhibitDelayMaxUSec=5000000: logind's default, no file sets it",)


def test_a_file_that_logind_has_not_read() -> None:
    seen = units(delay_set=Setting("/etc/systemd/logind.conf", "30"))
    finding, _note = examine(healthy(units=seen))
    assert finding.check == "logind-outdated"
    assert finding.text == "logind waits 5 s, and not 30 s as its files say"
    unreadable = Setting("/etc/systemd/logind.conf", "soon")
    assert only(units=units(delay_set=unreadable)).check == "logind-delay"


def test_a_logind_that_does_not_answer_is_no_pass() -> None:
    assert only(units=units(words=HostWords(None, WORDS))).check == "not-known"
    refused = NotKnown("logind's configuration", "permission denied", refused=True)
    assert only(units=units(delay_set=refused)).severity is Severity.NOTE


# Autostart


def test_a_marker_that_is_gone() -> None:
    finding = only(units=units(autostart=Autostart((URI,), (URI,))))
    assert (finding.check, finding.command) == ("autostart-marker", f"systemctl restart {CLAIMER}")


def test_libvirt_was_quicker() -> None:
    finding = only(units=units(autostart=Autostart()))
    assert finding.check == "autostart-marker"
    assert "libvirt has started its guests by itself" in finding.text


def test_a_host_on_which_guestctl_was_switched_on_late() -> None:
    said = {**SAID, "as_found": [URI]}
    finding = only(service=said, units=units(autostart=Autostart()))
    assert (finding.check, finding.severity) == ("switched-on-late", Severity.NOTE)


def test_who_does_not_own_autostart_misses_no_claim() -> None:
    seen = replace(facts(), owns_next_boot=False)
    assert examine(healthy(facts=seen, units=units(autostart=Autostart()))) == []


def test_a_daemon_that_does_not_call_the_hook() -> None:
    held = recorded(hold="its disk changed", held_for_save=True)
    seen = facts((guest(),), (held,))
    found = examine(healthy(facts=seen, units=units(unhooked=("libvirtd.service",))))
    assert ("hook-not-called", Severity.ERROR) in [(it.check, it.severity) for it in found]
