"""The `boot.*` keys of Incus' and LXD's instances as settings of ours.  Pure.

From JSON, as `incus list -f json` prints it: an array of instances, or one of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..model.given import Given, NotUnderstood
from ..model.units import show_duration
from .importing import Collector, Imported
from .settings import HOUR

_MOST = 999_999
#: What is done with an instance as the host goes down, and what that is here.
_ACTIONS = {
    "stop": {"save": "none"},
    "stateful-stop": {"save": "persistent"},
    "force-stop": {"save": "none", "shutdown": "none", "poweroff": "all"},
}


def imported(text: str, file: Path) -> Imported:
    """What the instances in it are told, as a [[guest]] for each.  Raises NotUnderstood."""
    found = Imported()
    for number, instance in enumerate(_instances(text, file), 1):
        if not _is_named(instance):
            raise NotUnderstood(file, None, f"number {number} in it is no instance with a name")
        found += _Instance(instance, file).of_guest()
    return found


def _is_named(instance: object) -> bool:
    name = instance.get("name") if isinstance(instance, dict) else None
    return isinstance(name, str) and bool(name)


def _instances(text: str, file: Path) -> list[Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise NotUnderstood(file, None, "is no JSON: nested too deeply") from error
    except ValueError as error:
        line = getattr(error, "lineno", None)
        what = f"is no JSON, as `incus list -f json` prints it: {getattr(error, 'msg', error)}"
        raise NotUnderstood(file, line, what) from error
    return found if isinstance(found, list) else [found]


class _Instance(Collector):
    def __init__(self, instance: dict[str, Any], file: Path) -> None:
        super().__init__()
        self._name = instance["name"]
        # The expanded one has what profiles say as well.
        config = instance.get("expanded_config") or instance.get("config")
        texts = config if isinstance(config, dict) else {}
        self._given = {key: Given(key, str(texts[key]), f"{file}") for key in texts}

    def of_guest(self) -> Imported:
        self._start()
        self._stop()
        found = self.result()
        guests = {self._name: found.settings} if found.settings else {}
        return Imported((), guests, found.remarks, found.problems)

    def _start(self) -> None:
        """A higher priority is started first, and a lower order here."""
        if (priority := self._number("boot.autostart.priority", _MOST)) is not None:
            given = self._given["boot.autostart.priority"]
            self.want("guest", "order", _MOST - priority, given)
        if (delay := self._number("boot.autostart.delay", int(HOUR))) is not None:
            given = self._given["boot.autostart.delay"]
            self.want("guest", "start-delay", show_duration(delay), given)
        autostart = self._given.get("boot.autostart")
        if autostart and autostart.value in ("false", "0", "no", "off"):
            self.want("guest", "restore", False, autostart)
        elif autostart:
            self.remark(
                f"{self._name}: {autostart}: guestctl starts it where it ran; where it is to be"
                f" started at each boot, virsh autostart {self._name}"
            )

    def _stop(self) -> None:
        if stop := self._given.get("boot.stop.priority"):
            self.remark(
                f"{self._name}: {stop}: guests go down in guestctl in the order in which they come"
                " up, turned round"
            )
        if (limit := self._number("boot.host_shutdown_timeout", 86_400)) is not None:
            given = self._given["boot.host_shutdown_timeout"]
            self.want("guest", "shutdown-timeout", show_duration(max(limit, 1)), given)
        if action := self._given.get("boot.host_shutdown_action"):
            for key, value in _ACTIONS.get(str(action.value), {}).items():
                self.want("guest", key, value, action)
            if action.value not in _ACTIONS:
                self.problem(action, f"expected one of {', '.join(_ACTIONS)}")

    def _number(self, key: str, most: int) -> int | None:
        """A whole number, cut to what there is here."""
        given = self._given.get(key)
        if not given:
            return None
        text = str(given.value)
        if text.isascii() and text.isdigit() and len(text) < 18:
            return min(int(text), most)
        self.problem(given, f"expected a whole number for {self._name}")
        return None
