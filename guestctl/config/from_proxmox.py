"""A Proxmox VE guest's `startup` and `onboot` as settings of ours.  Pure.

As in qm.conf(5) and pct.conf(5): /etc/pve/qemu-server/100.conf, or several of them as `tail -n +1
*.conf` prints them, each after a line of its own with its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..model.given import Given
from ..model.units import show_duration
from .importing import Collector, Imported
from .settings import HOUR

_FILE = re.compile(r"==> (.+) <==")
_SNAPSHOT = re.compile(r"\[.*\]")
_LINE = re.compile(r"([a-z0-9_-]+):[ \t]*(.*?)[ \t\r]*")
_STARTUP = re.compile(r"(?:(order|up|down)=)?([0-9]{1,6}|any)")
_NAMES = ("name", "hostname")


def imported(text: str, file: Path) -> Imported:
    """What the guests in it are told, as a [[guest]] for each."""
    found = Imported()
    for given in _guests(text, file):
        found += _Guest(given).of_guest()
    if found == Imported():
        return Imported(remarks=(f"{file}: there is no guest of Proxmox VE in it",))
    return found


def _guests(text: str, file: Path) -> Iterator[dict[str, Given]]:
    """The settings of each guest as it is now, not of its snapshots."""
    given: dict[str, Given] = {}
    is_now = True
    for number, line in enumerate(text.split("\n"), 1):
        if header := _FILE.fullmatch(line.strip()):
            yield from [given] if given else []
            given, is_now = {}, True
            given["vmid"] = Given("vmid", Path(header[1]).stem, str(file), number)
        elif _SNAPSHOT.fullmatch(line.strip()):
            is_now = False
        elif is_now and (setting := _LINE.fullmatch(line)):
            given[setting[1]] = Given(setting[1], setting[2], str(file), number)
    if given:
        given.setdefault("vmid", Given("vmid", file.stem, str(file)))
        yield given


class _Guest(Collector):
    def __init__(self, given: dict[str, Given]) -> None:
        super().__init__()
        self._given = given
        names = (given[key] for key in (*_NAMES, "vmid") if key in given)
        self._name = str(next(names).value)

    def of_guest(self) -> Imported:
        if startup := self._given.get("startup"):
            for part in str(startup.value).split(","):
                self._startup(part, startup)
        onboot = self._given.get("onboot")
        if onboot and onboot.value == "1":
            self.remark(
                f"{onboot}: guestctl starts {self._name} where it ran; where it is to be started at"
                f" each boot, virsh autostart {self._name}"
            )
        else:
            self.want("guest", "restore", False, onboot or "onboot is not set")
        found = self.result()
        return Imported((), {self._name: found.settings}, found.remarks, found.problems)

    def _startup(self, part: str, given: Given) -> None:
        found = _STARTUP.fullmatch(part.strip())
        if not found or (found[2] == "any" and found[1] in ("up", "down")):
            self.problem(given, "expected order=N,up=N,down=N")
        elif found[1] == "up":
            delay = show_duration(min(int(found[2]), HOUR))
            self.want("guest", "start-delay", delay, given)
        elif found[1] == "down":
            limit = show_duration(max(int(found[2]), 1))
            self.want("guest", "shutdown-timeout", limit, given)
        elif found[2] != "any":
            self.want("guest", "order", int(found[2]), given)
