"""The doctor's checks of what watches the UPS, and reading upsmon.conf."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.decisions.checks_power import CHECKS
from guestctl.decisions.doctor import examine
from guestctl.host import upsmon
from guestctl.model.finding import Severity
from guestctl.model.host_power import Monitor, PowerSupply, Upsmon
from tests.unit.healthy import facts, healthy

FILE = "/etc/nut/upsmon.conf"
SECONDARY = Monitor("ups@rack", is_primary=False)
PRIMARY = Monitor("ups@localhost", is_primary=True)
HOOK = "/usr/local/sbin/guestctl-ups shutdown"


def found(**values: Any) -> list[tuple[str, str]]:
    """Checks and texts, of an upsmon that is so."""
    values = {"monitors": (PRIMARY,), "shutdown_command": HOOK, **values}
    state = healthy(power=PowerSupply(Upsmon(FILE, **values)), facts=facts(config=Config()))
    return [(it.check, it.text) for it in examine(state, checks=CHECKS)]


def test_a_primary_with_the_example_is_fine() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("version", "stays", "which"),
    [
        ((2, 8, 1), False, "upsmon 2.8.1"),
        ((2, 8, 1), True, "upsmon 2.8.1"),
        ((2, 8, 4), True, "upsmon 2.8.4"),
        ((2, 8, 5), False, "upsmon 2.8.5"),
        ((), True, "upsmon"),
    ],
)
def test_a_secondary_that_logs_off_too_early(
    version: tuple[int, ...], stays: bool, which: str
) -> None:
    ((check, text),) = found(monitors=(PRIMARY, SECONDARY), version=version, stays=stays)
    assert check == "upsmon-secondary"
    assert text.startswith(f"{which} logs off from the primary of ups@rack before guests are safe")


@pytest.mark.parametrize("version", [(2, 8, 5), (2, 9), (3, 0, 0)])
def test_a_secondary_that_stays(version: tuple[int, ...]) -> None:
    assert found(monitors=(SECONDARY,), version=version, stays=True) == []


def test_a_second_upsmon_stays() -> None:
    other = Monitor("ups@attic", is_primary=False)
    ((_, text),) = found(monitors=(SECONDARY, other), version=(2, 8, 1), beside=("ups@rack",))
    assert "from the primary of ups@attic before" in text


def test_no_command_at_all() -> None:
    ((check, text),) = found(shutdown_command="")
    assert check == "upsmon-command"
    assert "no SHUTDOWNCMD" in text


FORCED = (
    *("systemctl poweroff -f", "sync; /sbin/halt -f -p", "systemctl --force poweroff"),
    "poweroff -ff",
)
SOFT = (
    *("/sbin/shutdown -h +0", "systemctl poweroff", "rm -f /x; systemctl poweroff"),
    *("systemctl poweroff; rm -f /x", "halt --final"),
)


@pytest.mark.parametrize("command", FORCED)
def test_an_end_by_force(command: str) -> None:
    assert found(shutdown_command=command)[0][0] == "upsmon-forced"


@pytest.mark.parametrize("command", SOFT)
def test_a_shutdown_that_does_not_ask_the_battery_is_a_note(command: str) -> None:
    ((check, text),) = found(shutdown_command=command)
    assert check == "ups-time"
    assert text == "with the battery low guests are given 25min, however long it lasts"
    (row,) = (row for row in CHECKS if row.name == check)
    assert row.severity is Severity.NOTE


# upsmon.conf

TEXT = """\
# MONITOR ups@none 1 monuser secret primary
RUN_AS_USER nut
  MONITOR ups@localhost 1 "mon user" pa-ss master   # as it was called
MONITOR "ups@rack.example:3493" 0 monuser se\\"cret secondary
MONITOR too few words
SHUTDOWNCMD "/sbin/shutdown -h +0"
SHUTDOWNEXIT no
HOSTSYNC 120
FINALDELAY soon
CERTPATH "not closed
NOTIFYMSG ONLINE "UPS %s: on 'line power"
WHATEVER 1
"""


def test_what_it_says_is_read_without_its_passwords() -> None:
    said = upsmon.parse(TEXT, FILE)
    assert said == Upsmon(
        FILE,
        (
            Monitor("ups@localhost", is_primary=True),
            Monitor("ups@rack.example:3493", is_primary=False),
        ),
        "/sbin/shutdown -h +0",
        stays=True,
    )


@pytest.mark.parametrize(
    ("word", "stays"),
    [("yes", False), ("0", False), ("-1", True), ("30", True), ("OFF", True), ("perhaps", False)],
)
def test_whether_it_stays(word: str, stays: bool) -> None:
    assert upsmon.parse(f"SHUTDOWNEXIT {word}", FILE).stays is stays


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Network UPS Tools upsmon 2.8.1", (2, 8, 1)),
        ("Network UPS Tools upsmon 2.8.5 release\nmore 1.2.3", (2, 8, 5)),
        ("Network UPS Tools upsmon 2.9", (2, 9)),
        ("upsmon", ()),
    ],
)
def test_which_upsmon_it_is(text: str, version: tuple[int, ...]) -> None:
    assert upsmon.version_of(text) == version


def test_a_nut_that_is_not_in_use_watches_nothing(tmp_path: Path) -> None:
    file, settings = tmp_path / "upsmon.conf", tmp_path / "nut.conf"
    assert upsmon.find([file]) is None
    file.write_text(TEXT)
    assert upsmon.find([file]) == file
    settings.write_text("# MODE=none\nMODE=netclient\n")
    assert upsmon.find([file]) == file
    settings.write_text("MODE = none\n")
    assert upsmon.find([file]) is None


SECOND = "MONITOR ups@rack 1 other word secondary\nMINSUPPLIES 0\n"


@pytest.mark.parametrize(
    ("active", "text", "ups"),
    [
        (True, SECOND, ("ups@rack",)),
        (False, SECOND, ()),
        (True, SECOND.replace("0", "1"), ()),
        (True, SECOND.replace("MINSUPPLIES", "# MINSUPPLIES"), ()),
        (True, None, ()),
    ],
)
def test_whether_a_second_upsmon_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, active: bool, text: str | None, ups: object
) -> None:
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\n{'true' if active else 'false'}\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if text is not None:
        (tmp_path / "stay").mkdir()
        (tmp_path / "stay/upsmon.conf").write_text(text)
    assert asyncio.run(upsmon.beside(tmp_path / "upsmon.conf")) == ups
