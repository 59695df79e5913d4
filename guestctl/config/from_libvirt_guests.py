"""libvirt-guests' settings as settings of ours, by what its script does with each.  Pure.

Read in libvirt-guests.sh of libvirt 9.0, 11.3 and 12.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model.given import Given, Givens
from ..model.units import INFINITY, show_duration
from ..model.uris import DEFAULT, canonical, why_remote
from .importing import Collector, Imported
from .settings import HOUR, LONGEST_STOP

#: What the script does where nothing is said, as its authors have it; distributions change that.
UPSTREAM = {
    "URIS": DEFAULT,
    "ON_BOOT": "start",
    "START_DELAY": "0",
    "ON_SHUTDOWN": "suspend",
    "PARALLEL_SHUTDOWN": "0",
    "SHUTDOWN_TIMEOUT": "300",
    "BYPASS_CACHE": "0",
    "SYNC_TIME": "0",
    "PERSISTENT_ONLY": "default",
}
_NO_SCRIPT = (
    "there is no libvirt-guests.sh on this host: what its file does not say is taken as its authors"
    " have it: ON_BOOT=start, ON_SHUTDOWN=suspend; in Debian it is ignore and shutdown"
)
#: virsh's own, which the file can set as well: by EnvironmentFile= they reach virsh.
_DEFAULTS_OF_VIRSH = ("VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI")
_LEAST_DEADLINE = 10
#: Not 010, which the script takes for ten in one line, and for eight in another.
_NUMBER = re.compile(r"[ \t\n]*([+-]?(?:0|[1-9][0-9]{0,8}))[ \t\n]*")
_SLEEPS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SLEEP = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})([smhd]?)")


def imported(of_file: Givens, of_script: Givens | None) -> Imported:
    """What they are here.  of_script: what the script has where its file says nothing; None where
    there is no script to look at."""
    return _Reading(of_file, of_script).result()


class _Reading(Collector):
    def __init__(self, of_file: Givens, of_script: Givens | None) -> None:
        super().__init__()
        upstream = {key: Given(key, value, is_default=True) for key, value in UPSTREAM.items()}
        self._given = {**upstream, **(of_script or {}), **of_file}
        if of_script is None:
            self.remark(_NO_SCRIPT)
        else:
            self._leave_out_unknown(of_script)
        self._read()

    def _leave_out_unknown(self, of_script: Givens) -> None:
        """Such as PERSISTENT_ONLY before libvirt 10.3."""
        for key, value in UPSTREAM.items():
            if key not in of_script:
                if not self._given[key].is_default:
                    self.remark(
                        f"{self._given[key]}: this version of libvirt-guests does not know it"
                    )
                self._given[key] = Given(key, value, is_default=True)

    def _read(self) -> None:
        self._connections()
        if self._text("ON_SHUTDOWN") == "shutdown":
            self._shutdown()
        else:
            self._suspend()
        self._bypass()
        self._boot()

    def _text(self, key: str) -> str:
        return str(self._given[key].value)

    def _is_on(self, key: str) -> bool:
        """As in: test "x$BYPASS_CACHE" = x0 ||"""
        return self._text(key) != "0"

    # Connections

    def _connections(self) -> None:
        given = self._given["URIS"]
        found: dict[str, str] = {}
        for word in self._text("URIS").split():
            uri = self._resolved(word)
            if remote := why_remote(uri):
                self.remark(f"{given}: {word} is left out, it leads to another host: {remote}")
            elif ":" not in uri and uri != DEFAULT:
                self.remark(f"{given}: {word} is left out, it is no URI")
            else:
                found.setdefault(canonical(uri, root=True), uri)
        if found:
            self.want("", "uris", list(found.values()), given, *self._of_virsh())
        else:
            self.problem(given, "it names no connection whose guests guestctl could look after")

    def _of_virsh(self) -> Iterator[Given]:
        if DEFAULT in self._text("URIS").split():
            found = (self._given[key] for key in _DEFAULTS_OF_VIRSH if key in self._given)
            yield from (given for given in found if given.value)

    def _resolved(self, word: str) -> str:
        return (
            str(next(self._of_virsh()).value) if word == DEFAULT and any(self._of_virsh()) else word
        )

    # Going down

    def _suspend(self) -> None:
        """virsh managedsave, one after another; whom that cannot save is left alone."""
        way = self._given["ON_SHUTDOWN"]
        self.want("shutdown", "save", "persistent", way)
        self.want(
            "shutdown", "save-timeout", INFINITY, "libvirt-guests waits for each save to its end"
        )
        only = "transient guests are left alone where guests are suspended"
        self.want("shutdown", "shutdown", "persistent", way, only)
        self._no_poweroff()
        self._timeout(self._number("SHUTDOWN_TIMEOUT"))
        self.remark(
            "a guest whose save fails is left running by libvirt-guests, and ends with the host;"
            ' guestctl asks it to shut down ([shutdown] shutdown = "none" for the same)'
        )
        self.remark_saves_in_turn("libvirt-guests")
        if not self._given["PARALLEL_SHUTDOWN"].is_default:
            self.remark(
                f"{self._given['PARALLEL_SHUTDOWN']}: without effect where guests are suspended"
            )

    def _shutdown(self) -> None:
        way, only = self._given["ON_SHUTDOWN"], self._given["PERSISTENT_ONLY"]
        self.want("shutdown", "save", "none", way)
        which = "persistent" if only.value == "true" else "all"
        self.want("shutdown", "shutdown", which, way, only)
        self._no_poweroff()
        timeout = self._number("SHUTDOWN_TIMEOUT")
        self._timeout(timeout)
        self._at_a_time(timeout)

    def _no_poweroff(self) -> None:
        self.want("shutdown", "poweroff", "none", "libvirt-guests pulls no plug")

    def _timeout(self, seconds: int | None) -> None:
        given = self._given["SHUTDOWN_TIMEOUT"]
        if seconds is not None and seconds < 0:
            self.problem(given, "less than 0: libvirt-guests shuts no guest down with it")
        elif seconds is not None:
            limit = show_duration(seconds) if seconds else INFINITY
            self.want("shutdown", "shutdown-timeout", limit, given)

    def _at_a_time(self, timeout: int | None) -> None:
        """With 0 or 1 guests go one after another, each with a timeout; else all share one."""
        given = self._given["PARALLEL_SHUTDOWN"]
        number = self._number("PARALLEL_SHUTDOWN")
        if number is None:
            return
        self.want("shutdown", "parallel-shutdowns", min(max(number, 1), 999_999), given)
        if number > 1 and timeout and timeout > 0:
            self._deadline(timeout)
        else:
            self.remark(
                f"{given}: libvirt-guests gives each guest its timeout, however many there are;"
                " a run of guestctl ends after [shutdown] deadline, 25min unless told, since"
                " systemd ends the host by force after 30min"
            )

    def _deadline(self, timeout: int) -> None:
        given = self._given["SHUTDOWN_TIMEOUT"]
        seconds = min(max(timeout, _LEAST_DEADLINE), int(LONGEST_STOP))
        if seconds != timeout:
            self.remark(
                f"{given}: as deadline of all guests {show_duration(seconds)} is nearest to it"
            )
        which = "it is for all guests together where they are shut down in parallel"
        self.want("shutdown", "deadline", show_duration(seconds), given, which)

    def _bypass(self) -> None:
        value, given = self._is_on("BYPASS_CACHE"), self._given["BYPASS_CACHE"]
        self.want("shutdown", "bypass-cache", value, given)

    # Coming up

    def _boot(self) -> None:
        """Guests of its list, with the autostart flag or not."""
        way, starts = self._given["ON_BOOT"], self._text("ON_BOOT") == "start"
        self.want("boot", "restore", starts, way)
        self.want("boot", "sync-time", self._is_on("SYNC_TIME"), self._given["SYNC_TIME"])
        if starts:
            given = self._given["BYPASS_CACHE"]
            self.want("boot", "bypass-cache", self._is_on("BYPASS_CACHE"), given)
            self._start_delay()

    def _start_delay(self) -> None:
        """What sleep(1) takes."""
        given = self._given["START_DELAY"]
        found = [_SLEEP.fullmatch(word) for word in self._text("START_DELAY").split()]
        if not found or None in found:
            self.problem(given, 'expected a number of seconds such as "5"')
            return
        seconds = sum(float(it[1]) * _SLEEPS[it[2]] for it in found if it)
        if seconds > HOUR:
            self.remark(f"{given}: an hour is the most that guestctl waits between two starts")
        self.want("boot", "start-delay", show_duration(min(seconds, HOUR)), given)

    def _number(self, key: str) -> int | None:
        """As in: [ "$KEY" -gt 0 ]"""
        if found := _NUMBER.fullmatch(self._text(key)):
            return int(found[1])
        self.problem(self._given[key], "expected a whole number")
        return None
