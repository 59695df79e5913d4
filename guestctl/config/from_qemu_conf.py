"""libvirt's own settings in qemu.conf, as settings of ours.  Pure.

Its auto-shutdown as the host goes down (11.2 on); and how it starts guests with the autostart flag,
which guestctl starts in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.given import Given, Givens
from ..model.units import show_duration
from .importing import Collector, Imported
from .settings import HOUR

#: What libvirt does where nothing is said, as the system's daemon.
DEFAULTS: Mapping[str, str | int] = {
    "auto_shutdown_try_save": "none",
    "auto_shutdown_try_shutdown": "none",
    "auto_shutdown_poweroff": "none",
    "auto_shutdown_wait": 30,
    "auto_shutdown_restore": 1,
    "auto_save_bypass_cache": 0,
    "auto_start_bypass_cache": 0,
    "auto_start_delay": 0,
}
_SWITCHES = ("auto_shutdown_try_save", "auto_shutdown_try_shutdown", "auto_shutdown_poweroff")
_SCOPES = ("none", "persistent", "transient", "all")
#: It says "an arbitrary built-in default" for 0.
_WAIT_OF_ITS_OWN = 30


#: The first version that has an auto-shutdown.
SINCE = (11, 2, 0)


def is_on(given: Givens) -> bool:
    """Whether the auto-shutdown is, by what the file says."""
    return any(key in given and given[key].value != "none" for key in _SWITCHES)


def without_auto_shutdown(given: Givens) -> Givens:
    """What else is set."""
    return {key: it for key, it in given.items() if not key.startswith("auto_shutdown_")}


def at_shutdown(given: Givens) -> Imported:
    """What the auto-shutdown is here."""
    return _Reading(given).shutdown()


def at_boot(given: Givens) -> Imported:
    """What becomes of guests with the autostart flag."""
    return _Reading(given).boot()


class _Reading(Collector):
    def __init__(self, given: Givens) -> None:
        super().__init__()
        defaults = {key: Given(key, value, is_default=True) for key, value in DEFAULTS.items()}
        self._given = {**defaults, **given}

    def shutdown(self) -> Imported:
        self._scope("save", "auto_shutdown_try_save", _SCOPES[:2])
        self._scope("shutdown", "auto_shutdown_try_shutdown", _SCOPES)
        self._scope("poweroff", "auto_shutdown_poweroff", _SCOPES)
        wait = self._number("auto_shutdown_wait")
        if wait is not None:
            limit = show_duration(wait or _WAIT_OF_ITS_OWN)
            self.want("shutdown", "shutdown-timeout", limit, self._given["auto_shutdown_wait"])
        self._flag("shutdown", "bypass-cache", "auto_save_bypass_cache")
        self._flag("boot", "restore", "auto_shutdown_restore")
        self.remark(
            "libvirt's auto-shutdown has no more time than logind's delay (InhibitDelayMaxSec=);"
            " guestctl has until [shutdown] deadline, 25min unless told"
        )
        self.remark_saves_in_turn("libvirt's auto-shutdown")
        return self.result()

    def boot(self) -> Imported:
        self._flag("boot", "bypass-cache", "auto_start_bypass_cache")
        delay, given = self._number("auto_start_delay"), self._given["auto_start_delay"]
        if delay is not None:
            if delay / 1000 > HOUR:
                self.remark(f"{given}: an hour is the most that guestctl waits between two starts")
            self.want("boot", "start-delay", show_duration(min(delay / 1000, HOUR)), given)
        return self.result()

    def _scope(self, key: str, name: str, words: tuple[str, ...]) -> None:
        given = self._given[name]
        if given.value in words:
            self.want("shutdown", key, given.value, given)
        else:
            self.problem(
                given, f"expected one of {', '.join(words)}: libvirt refuses to start with it"
            )

    def _flag(self, section: str, key: str, name: str) -> None:
        given = self._given[name]
        if given.value in (0, 1):
            self.want(section, key, bool(given.value), given)
        else:
            self.problem(given, "expected 0 or 1")

    def _number(self, name: str) -> int | None:
        given = self._given[name]
        value: Any = given.value
        if isinstance(value, int) and value >= 0:
            return value
        self.problem(given, "expected a whole number, not less than 0")
        return None
