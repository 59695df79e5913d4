"""A host with a dozen guests that the tests of one Debian generation share.

To boot it and its guests takes longer than most of what is tested.  A test finds all guests
running, and may leave the host off and guests down: the next test puts that right.  A host on
which a test failed is not used again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

SAVED = [GuestSpec(f"guest {n}") for n in range(1, 11)]
SLOW = GuestSpec("slow", button="slow:2")
IGNORES = GuestSpec("ignores", button="ignore")
DOZEN = [*SAVED, SLOW, IGNORES]
#: How each of them is taken to safety, and comes back.
SAFE = {
    **{spec.name: "saved" for spec in SAVED},
    SLOW.name: "shut-down",
    IGNORES.name: "powered-off",
}
BACK = {
    **{spec.name: "resumed" for spec in SAVED},
    SLOW.name: "started",
    IGNORES.name: "started",
}
NAMES = [spec.name for spec in DOZEN]
CONFIG = """
[[guest]]
match = "slow"
save = "none"

[[guest]]
match = "ignores"
save = "none"
shutdown-timeout = "3s"
"""


class Stage:
    """The host, made when it is first asked for."""

    def __init__(self, suite: str, install: Callable[[Host], None]) -> None:
        self._suite = suite
        self._install = install
        self._stack = ExitStack()
        self._host: Host | None = None

    def host(self) -> Host:
        """The host, on, with every guest running."""
        if self._host is None:
            self._host = self._new_host()
        if not self._host.is_on:
            self._host.boot()
        make_all_run(self._host)
        return self._host

    def _new_host(self) -> Host:
        host = self._stack.enter_context(Host(self._suite, f"{self._suite}-stage"))
        self._install(host)
        (host.root / "etc/guestctl/conf.d/stage.toml").write_text(CONFIG)
        host.slow_saves(0)
        return host

    def close(self) -> None:
        """Remove the host; the next one is fresh."""
        self._stack.close()
        self._host = None


def make_all_run(host: Host) -> None:
    """Start the guests that do not run, and wait until each listens to its button."""
    up = set(host.virsh("list", "--name").splitlines())
    host.start_all([spec for spec in DOZEN if spec.name not in up])
