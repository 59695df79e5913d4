"""What is shown is what will be done, and nobody is shown what is not so, on a real host."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.service import UNIT, main_pid, status, while_written
from tests.host.stage import FEW
from tests.host.support import in_process, look, outcomes, wait_restored
from tests.testbed.commands import Result
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, pass_through
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
ONE = CAST.saved[0]
NO_SAVE = f'[[guest]]\nmatch = "{ONE}"\nsave = "none"\n'


@contextlib.contextmanager
def written(host: Host, text: str) -> Iterator[Path]:
    """Meanwhile this stands in a drop-in; the service is told nothing."""
    file = host.root / "etc/guestctl/conf.d/written.toml"
    file.write_text(text)
    try:
        yield file
    finally:
        file.unlink()


def configuration(host: Host) -> dict[str, Any]:
    """What `status` says of it."""
    said: dict[str, Any] = status(host)["service"]["configuration"]
    return said


def planned(host: Host, guest: str) -> list[str]:
    """The steps that `plan` shows for a guest."""
    rows = json.loads(host.run(["guestctl", "plan", "--json"]).stdout)
    return [step["step"] for row in rows if row["name"] == guest for step in row["steps"]]


def test_a_stop_does_what_was_planned_from_a_file_written_just_before(host: Host) -> None:
    before = look(host, CAST.names)
    with written(host, NO_SAVE):
        steps = planned(host, ONE)
        pass_through(host, POWEROFF)
        wait_restored(host)
    assert steps == ["shutdown", "poweroff"]
    assert outcomes(host, "preserve", before.at) == {**CAST.safe, ONE: "shut-down"}


def test_what_is_written_is_used_within_seconds_and_said_until_then(host: Host) -> None:
    with written(host, '[shutdown]\ndeadline = "20m"\n') as file:
        checked = while_written(host, file, "guestctl check")
        assert checked.returncode == 0
        assert 'shutdown.deadline is "20min" in the files, "25min" in use' in checked.stderr
        wait_until(lambda: not configuration(host)["differs"], 10, "the new deadline in use")
        assert configuration(host)["values"]["shutdown.deadline"] == '"20min"'
        assert host.run(["guestctl", "check"]).stderr == ""
    wait_until(lambda: not configuration(host)["differs"], 10, "the deadline of before")


def test_a_reload_with_mistakes_fails_and_what_looks_goes_on(host: Host) -> None:
    before = main_pid(host)
    with written(host, "[shutdown]\ndeadline = 20m\n"):
        reload = host.run(["systemctl", "reload", UNIT], check=False)
        assert reload.returncode != 0
        wait_until(lambda: configuration(host)["problems"], 10, "word of the mistake")
        (problem,) = configuration(host)["problems"]
        assert "written.toml:2: is not TOML" in problem
        assert 'durations stand in quotes: "20m"' in problem
        assert host.run(["guestctl", "status"], check=False).returncode == 1
        shown = host.run(["guestctl", "plan"])
        assert "the service uses the configuration of before until" in shown.stderr
        assert ONE in shown.stdout
        assert host.run(["guestctl", "plan", "--strict"], check=False).returncode == 2
        assert problem in host.journal("--boot", f"--unit={UNIT}")
    assert host.run(["systemctl", "reload", UNIT]).returncode == 0
    wait_until(lambda: not configuration(host)["problems"], 10, "a sound configuration")
    assert main_pid(host) == before


def test_status_says_what_differs_in_files_that_are_being_written(host: Host) -> None:
    """Value by value, until they are loaded."""
    differs = 'shutdown.deadline is "20min" in the files, "25min" in use'
    with written(host, '[shutdown]\ndeadline = "20m"\n') as file:
        said = while_written(host, file, "guestctl status")
        assert differs in said.stdout + said.stderr
        host.run(["guestctl", "reload"])
        assert configuration(host)["differs"] == []
    host.run(["guestctl", "reload"])
    assert configuration(host)["values"]["shutdown.deadline"] == '"25min"'


def test_a_table_for_nobody_is_said(host: Host) -> None:
    with written(host, NO_SAVE + '[[guest]]\nmatch = "wbe"\nsave = "none"\n'):
        checked = host.run(["guestctl", "check"])
        assert "written.toml:5: guest[4].match: matches no guest that there is" in checked.stderr
        assert 'match = "wbe"' in host.run(["guestctl", "plan"]).stderr
        shown = host.run(["guestctl", "check", "--guest", ONE]).stdout
        assert 'save = "none"  # /etc/guestctl/conf.d/written.toml:3' in shown


def as_user(host: Host, *command: str) -> Result:
    """The command of somebody who is not root."""
    return host.run(["runuser", "-u", "nobody", "--", *command], check=False)


def test_a_user_whom_nobody_answers_is_told_nothing_that_is_not_so(host: Host) -> None:
    listed = as_user(host, *in_process("list", "--json"))
    rows = json.loads(listed.stdout)
    assert listed.returncode == 3
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys(CAST.names, "running")
    boots = as_user(host, *in_process("plan", "--boot", "--json"))
    assert boots.returncode == 3
    for row in rows + json.loads(boots.stdout):
        assert row.get("wanted") is None
        assert row["next_boot"] is None
    for told in (["history"], ["why", ONE]):
        assert as_user(host, *in_process(*told)).returncode == 3
    shown = as_user(host, *in_process("status", "--json"))
    found = json.loads(shown.stdout)
    assert shown.returncode == 3
    assert found["problems"] == []
    service = found["service"]
    assert service["running"] is True
    assert service["logind"]["inhibitor"] is True
    assert set(service["up"]) == set(CAST.names)
    assert [found[key] for key in ("wanted", "current_run", "last_run")] == [None] * 3
    text = as_user(host, *in_process("status")).stdout
    assert "not running" not in text
    assert "not held" not in text


def test_a_user_is_told_when_the_service_is_down(host: Host) -> None:
    host.run(["systemctl", "stop", UNIT])
    try:
        shown = as_user(host, "guestctl", "status")
        assert shown.returncode == 3
        assert "problem:        the service does not run" in shown.stdout
    finally:
        host.run(["systemctl", "start", UNIT])


def problems(host: Host) -> dict[str | None, str]:
    """What `status` says to be wrong, by the guest."""
    return {found["name"]: found["problem"] for found in status(host)["problems"]}


def test_status_begins_with_what_is_wrong(host: Host) -> None:
    well = host.run(["guestctl", "status"], check=False)
    assert well.returncode == 0, well.stdout
    host.run(["guestctl", "hold", ONE, "--reason", "so"])
    held = host.run(["guestctl", "status"], check=False)
    assert held.returncode == 1
    assert held.stdout.splitlines()[0].split(maxsplit=1)[1].startswith(f"{ONE}: held by root: so")
    listed = host.run(["guestctl", "list", "--problems"], check=False)
    assert listed.returncode == 1
    said = f"{ONE}: running, held by root: so\n    -> guestctl release '{ONE}'\n"
    assert listed.stdout == said
    host.run(["guestctl", "release", ONE])
    host.run(["systemctl", "disable", UNIT])
    assert "is disabled: as the host goes down nobody" in str(problems(host)[None])
    host.run(["systemctl", "enable", UNIT])
    host.run(["systemctl", "enable", "libvirt-guests"])
    assert "libvirt-guests.service is enabled beside guestctl" in str(problems(host)[None])
    host.run(["systemctl", "disable", "libvirt-guests"])
    assert problems(host) == {}
