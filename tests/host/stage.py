"""A host with guests that the tests of one Debian generation share.

To boot it and its guests takes longer than most of what is tested.  A test finds all guests
running, and may leave the host off and guests down: the next test puts that right.  A module finds
the host configured as it came to be, whatever those before it have left.  A host on which a test
failed is not used again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from tests.host.baseline import Baseline
from tests.host.service import wait_watching
from tests.host.support import wait_restored
from tests.testbed.console import read_ticks, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

SAVES = "var/lib/libvirt/qemu/save"
SLOW = GuestSpec("slow", button="slow:2")
IGNORES = GuestSpec("ignores", button="ignore")
#: The second is brought to its last step by this.
CONFIG = """
[[guest]]
match = "slow"
save = "none"

[[guest]]
match = "ignores"
save = "none"
shutdown-timeout = "3s"
"""


@dataclass(frozen=True)
class Cast:
    """The guests of a test: some that are saved, and the two that are not."""

    saved: tuple[str, ...]

    @property
    def specs(self) -> list[GuestSpec]:
        """All of them."""
        return [*map(GuestSpec, self.saved), SLOW, IGNORES]

    @property
    def names(self) -> list[str]:
        """All their names."""
        return [spec.name for spec in self.specs]

    @property
    def safe(self) -> dict[str, str]:
        """How each of them is taken to safety."""
        return {**dict.fromkeys(self.saved, "saved"), "slow": "shut-down", "ignores": "powered-off"}

    @property
    def back(self) -> dict[str, str]:
        """How each of them comes back after that."""
        return {**dict.fromkeys(self.saved, "resumed"), "slow": "started", "ignores": "started"}


DOZEN = Cast(tuple(f"guest {n}" for n in range(1, 11)))
FEW = Cast(DOZEN.saved[:3])


class Stage:
    """The host, made when it is first asked for."""

    def __init__(self, suite: str, install: Callable[[Host], None]) -> None:
        self._suite = suite
        self._install = install
        self._stack = ExitStack()
        self._host: Host | None = None
        self._baseline: Baseline | None = None
        self._module = ""

    def host(self, cast: Cast, module: str) -> Host:
        """The host, on, with these guests and no others, all of them running."""
        host = self._host = self._host or self._new_host()
        if module != self._module:
            self._as_it_was(host)
            self._module = module
        host.slow_saves(0)
        if not host.is_on:
            host.boot()
        wait_restored(host)
        send_off(host, cast)
        make_all_run(host, cast)
        wait_watching(host)
        assert scopes(host) == len(cast.names), "the order of a real host is not being tested"
        # The first boot is what makes some of it.
        self._baseline = self._baseline or Baseline(host)
        return host

    def _as_it_was(self, host: Host) -> None:
        """What has read other settings reads them anew as the host boots."""
        if self._baseline and (others := self._baseline.put_back()):
            # Shown if the next one fails.
            print(f"{self._module} left {', '.join(others)}")
            if host.is_on:
                host.reboot()

    def _new_host(self) -> Host:
        host = self._stack.enter_context(Host(self._suite, f"{self._suite}-stage"))
        self._install(host)
        (host.root / "etc/guestctl/conf.d/stage.toml").write_text(CONFIG)
        return host

    def close(self) -> None:
        """Remove the host; the next one is fresh."""
        self._stack.close()
        self._host = self._baseline = None


def send_off(host: Host, cast: Cast) -> None:
    """Remove the guests that do not belong to the cast, and saves of guests that are gone."""
    for name in _listed(host, "--all") - set(cast.names):
        if name in _listed(host):
            host.run(["virsh", "-q", "destroy", name], check=False)  # it may have ended by itself
        host.virsh("undefine", "--managed-save", name)
    for save in (host.root / SAVES).glob("*.save"):
        if save.stem not in _listed(host, "--all"):
            save.unlink()


def make_all_run(host: Host, cast: Cast) -> None:
    """Start the guests that do not run, and wait until each listens to its button."""
    up = _listed(host)
    ticks = {name: len(read_ticks(host.console(name))) for name in up}
    host.start_all([spec for spec in cast.specs if spec.name not in up])
    for name, seen in ticks.items():
        wait_for_tick(host.console(name), seen)


def scopes(host: Host) -> int:
    """How many guests have a scope of their own, as machined gives them on a real host."""
    units = host.run(["systemctl", "list-units", "--plain", "--no-legend", "machine-*.scope"])
    return len(units.stdout.splitlines())


def _listed(host: Host, *options: str) -> set[str]:
    return set(host.virsh("list", "--name", *options).split("\n")) - {""}
