"""The example examples/guestctl-ups: NUT's events, in order and not, become the right commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.waiting import wait_until

HOOK = Path(__file__).parent.parent.parent / "examples/guestctl-ups"
#: Programs in place of those of a host; each notes how it was called.
PROGRAMS = {
    "guestctl": """
echo "$*" >>calls
case $1 in
    shed) while [ -e slow ] && [ ! -e cancelled ]; do /bin/sleep 0.02; done ;;
    cancel) : >cancelled ;;
esac
read -r status <"status.$1" 2>/dev/null || status=0
exit $status""",
    "upsc": "cat power",
    "id": "echo 1000",
    "logger": 'echo "$*" >>said',
    "sleep": "/bin/sleep 0.05",
    "systemctl": 'echo "systemctl $*" >>calls',
    "systemd-run": 'echo "systemd-run $*" >>calls; exit $(cat status.run 2>/dev/null || echo 0)',
}


class Hook:
    """The example in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in PROGRAMS.items():
            program = folder / name
            program.write_text(f"#!/bin/sh\ncd '{folder}'\n{text.strip()}\n")
            program.chmod(0o755)
        text = HOOK.read_text()
        for path in ("/run/nut/", "/run/", "/etc/default/"):
            text = text.replace(f"{path}guestctl-ups", f"{folder}/guestctl-ups")
        program = folder / "hook"
        program.write_text(text.replace(" PATH=", f" PATH={folder}:"))
        program.chmod(0o755)
        self.says("OB DISCHRG")

    def says(self, status: str) -> None:
        """Have the UPS say so; "" for no answer."""
        (self.folder / "power.new").write_text(status)
        (self.folder / "power.new").rename(self.folder / "power")

    def is_told(self, *words: str, **env: str) -> None:
        """One event."""
        argv = [str(self.folder / "hook"), *words]
        subprocess.run(argv, check=False, timeout=20, env={**os.environ, **env})

    def calls(self) -> list[str]:
        """Commands so far."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def wait_calls(self, *calls: str) -> None:
        """Until these commands, and no others, were given."""
        wait_until(lambda: self.calls() == list(calls), 20, f"{calls}")
        time.sleep(0.2)  # until it has seen them end

    def is_at_work(self) -> bool:
        """Whether a process of it is left."""
        return (
            subprocess.run(
                ["flock", "-n", str(self.folder / "guestctl-ups.lock"), "true"], check=False
            ).returncode
            != 0
        )

    def wait_idle(self) -> None:
        """Until it has nothing left to do."""
        wait_until(lambda: not self.is_at_work(), 20, "the end of its work")


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    hook = Hook(tmp_path)
    yield hook
    (tmp_path / "slow").unlink(missing_ok=True)
    hook.says("OL")
    hook.is_told("online")
    hook.wait_idle()


def test_on_battery_guests_are_shed_and_they_come_back_with_the_power(hook: Hook) -> None:
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    time.sleep(0.2)
    assert hook.is_at_work()
    hook.says("OL")
    hook.is_told("online")
    hook.wait_calls("shed -q", "resume -q")
    hook.wait_idle()
    hook.is_told("online")
    hook.wait_idle()
    assert hook.calls() == ["shed -q", "resume -q"]


@pytest.mark.thorough
def test_as_notifycmd_it_goes_by_the_type(hook: Hook) -> None:
    hook.is_told("UPS ups@localhost on battery", NOTIFYTYPE="ONBATT", UPSNAME="ups@localhost")
    hook.wait_calls("shed -q")
    hook.says("OL")
    hook.is_told("UPS ups@localhost on line power", NOTIFYTYPE="ONLINE")
    hook.wait_calls("shed -q", "resume -q")
    hook.is_told("UPS ups@localhost battery is low", NOTIFYTYPE="LOWBATT")
    assert 'nothing to do for "UPS ups@localhost battery is low" LOWBATT' in said(hook)


def said(hook: Hook) -> str:
    return (hook.folder / "said").read_text()


def test_power_that_comes_back_while_guests_are_shed_ends_that(hook: Hook) -> None:
    (hook.folder / "slow").touch()
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    hook.says("OL")
    hook.is_told("online")
    hook.wait_calls("shed -q", "cancel -q --mine", "resume -q")


@pytest.mark.thorough
def test_an_event_that_is_lost_is_made_up_for(hook: Hook) -> None:
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    hook.says("OL CHRG")
    hook.wait_calls("shed -q", "resume -q")


@pytest.mark.thorough
def test_events_that_come_the_wrong_way_round(hook: Hook) -> None:
    hook.says("OL")
    hook.is_told("online")
    hook.is_told("shed")
    hook.wait_idle()
    assert hook.calls() == []
    hook.says("OB")
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    hook.is_told("online")  # of before
    time.sleep(0.3)
    assert hook.calls() == ["shed -q"]


@pytest.mark.thorough
def test_without_an_answer_of_the_ups_the_event_counts(hook: Hook) -> None:
    hook.says("")
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    hook.is_told("online")
    hook.wait_calls("shed -q", "resume -q")


@pytest.mark.thorough
def test_many_events_at_once_are_one_after_another(hook: Hook) -> None:
    for _ in range(5):
        hook.is_told("shed")
    hook.wait_calls("shed -q")
    hook.is_told("preserve")
    hook.wait_calls("shed -q", "shutdown --preserve -q")
    hook.is_told("shed")  # less than what is done already
    time.sleep(0.3)
    hook.says("OL")
    hook.wait_calls("shed -q", "shutdown --preserve -q", "start -q")


@pytest.mark.thorough
def test_who_was_killed_in_between_has_guests_to_bring_back(hook: Hook) -> None:
    (hook.folder / "guestctl-ups.wanted").write_text("shed\n")
    (hook.folder / "guestctl-ups.is").write_text("shed\n")
    hook.says("OL")
    hook.is_told("online")
    hook.wait_calls("resume -q")


@pytest.mark.thorough
def test_another_run_has_the_lock(hook: Hook) -> None:
    (hook.folder / "status.shed").write_text("5\n")
    hook.is_told("shed")
    wait_until(lambda: len(hook.calls()) > 2, 20, "more tries")
    (hook.folder / "status.shed").write_text("1\n")
    said = hook.folder / "said"
    wait_until(lambda: "shed: ended with status 1" in said.read_text(), 20, "the last try")
    tries = hook.calls()
    assert set(tries) == {"shed -q"}
    time.sleep(0.3)
    assert hook.calls() == tries


@pytest.mark.thorough
def test_who_was_shed_comes_back_though_a_preserve_could_not_begin(hook: Hook) -> None:
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    (hook.folder / "status.shutdown").write_text("5\n")
    hook.is_told("preserve")
    wait_until(lambda: len(hook.calls()) > 2, 20, "tries")
    hook.says("OL")
    wait_until(lambda: "resume -q" in hook.calls() or "start -q" in hook.calls(), 20, "its end")
    hook.wait_idle()


def test_options_of_shed_come_from_its_settings(hook: Hook) -> None:
    (hook.folder / "guestctl-ups").write_text('SHED="--order 20"\n')
    hook.is_told("shed")
    hook.wait_calls("shed -q --order 20")


# The host's end

PRESERVE = "shutdown --preserve --profile ups --within upsc:ups@localhost"


def test_the_host_goes_down_out_of_upsmons_unit(hook: Hook) -> None:
    hook.is_told("shutdown")
    program = hook.folder / "hook"
    run = f"systemd-run --quiet --collect --unit=ups-guestctl.service -- {program} down"
    assert hook.calls() == [run]
    (hook.folder / "calls").unlink()
    (hook.folder / "status.run").write_text("1")
    hook.is_told("shutdown")  # by itself, where systemd does not take it
    assert hook.calls()[1:] == [PRESERVE, "systemctl poweroff"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("status", "calls"),
    [
        (1, [PRESERVE, "systemctl poweroff"]),
        (3, [PRESERVE, "systemctl poweroff"]),
        (4, [PRESERVE, "systemctl poweroff"]),
        (127, [PRESERVE, "systemctl poweroff"]),
        (2, [PRESERVE, PRESERVE.replace(" --profile ups", ""), "systemctl poweroff"]),
        (5, [*[PRESERVE] * 4, "cancel", PRESERVE, "systemctl poweroff"]),
    ],
)
def test_whatever_comes_of_the_guests_the_host_goes_down(
    hook: Hook, status: int, calls: list[str]
) -> None:
    (hook.folder / "status.shutdown").write_text(f"{status}\n")
    hook.is_told("down")
    assert hook.calls() == calls


@pytest.mark.thorough
def test_no_event_counts_once_the_host_goes_down(hook: Hook) -> None:
    hook.is_told("shed")
    hook.wait_calls("shed -q")
    (hook.folder / "guestctl-ups.down").touch()
    hook.says("OL")
    hook.is_told("online")
    hook.wait_idle()
    assert hook.calls() == ["shed -q"]
    (hook.folder / "guestctl-ups.down").unlink()


def test_it_is_posix_shell() -> None:
    if shell := shutil.which("dash"):
        subprocess.run([shell, "-n", str(HOOK)], check=True)
