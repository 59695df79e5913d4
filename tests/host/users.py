"""Users of a host who run a program of the tests there."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import ModuleType

from tests.host import flood_bus, fuzz_bus, hostile, wire
from tests.testbed.commands import Argv, Result
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

FOLDER = "/var/tmp/users"
PROGRAMS = (hostile, wire, fuzz_bus, flood_bus)
USERS = 3


def be(number: int) -> list[str]:
    """What makes a command one of that user's."""
    return ["setpriv", f"--reuid={60000 + number}", "--regid=65534", "--clear-groups", "--"]


def _know(host: Host) -> None:
    """Give them names: dbus-daemon throws out whoever has none."""
    for number in range(USERS):
        add = f"useradd --no-create-home --no-user-group --uid {60000 + number} user{number}"
        host.run(f"id user{number} >/dev/null 2>&1 || {add}")


def program(module: ModuleType, *arguments: object) -> list[str]:
    """It runs in FOLDER, once `give` has put it there."""
    return ["python3", "-m", module.__name__, *map(str, arguments)]


def give(host: Host) -> None:
    """Put the programs on the host, for everybody to read, and have the users known there."""
    _know(host)
    folder = host.root / f"{FOLDER}/tests/host".lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    for module in PROGRAMS:
        shutil.copy(str(module.__file__), folder)
    host.run(["chmod", "-R", "a+rX", FOLDER])


def run_as(host: Host, number: int | None, argv: Argv, timeout: float = 600) -> Result:
    """Run it in the folder as one of the users, or as root."""
    enter = ["env", "-C", FOLDER, *([] if number is None else be(number))]
    return host.run([*enter, *map(str, argv)], timeout=timeout)


def let_loose(host: Host, module: ModuleType, *arguments: object) -> list[Path]:
    """Let each of the users run it; the files in which they count what they did.

    They are units of their own, which nothing ends before the host's very end but `end`.
    """
    give(host)
    counts = [host.root / f"{FOLDER}/count-{number}".lstrip("/") for number in range(USERS)]
    for number, count in enumerate(counts):
        count.unlink(missing_ok=True)
        output = f"StandardOutput=append:{FOLDER}/{count.name}"
        options = ["--unit", unit(number), "--collect", f"--working-directory={FOLDER}"]
        options += ["--property=DefaultDependencies=no", f"--property={output}"]
        host.run(["systemd-run", *options, *be(number), *program(module, *arguments)])
    wait_until(lambda: all(map(rounds, counts)), 300, "messages of hostile users")
    return counts


def end(host: Host) -> None:
    """Stop them."""
    host.run(["systemctl", "kill", "--signal=KILL", *map(unit, range(USERS))])


def unit(number: int) -> str:
    """The service that the user's program is."""
    return f"user-{number}-let-loose.service"


def rounds(count: Path) -> int:
    """How many that user has been through."""
    return len(count.read_text().split()) if count.exists() else 0


def honest_call(host: Host, timeout: float) -> tuple[set[str], float]:
    """Names that `guestctl list` tells, and the seconds until it did: it may have to try again."""
    begun = time.monotonic()
    told: list[Result] = []

    def is_answered() -> bool:
        told.append(host.run(["guestctl", "list", "-o", "name"], check=False))
        assert not told[-1].returncode or "takes no more calls just now" in told[-1].stderr
        return not told[-1].returncode

    wait_until(is_answered, timeout, "answer to an honest call")
    return set(told[-1].stdout.splitlines()), time.monotonic() - begun
