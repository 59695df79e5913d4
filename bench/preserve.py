"""Twelve real guests saved by guestctl, against bare libvirt calls.

Each way is a whole process, from its start to its end.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.waiting import wait_until

from .common import SYSTEM_PYTHON, command, interleaved, seconds, table, within

GUESTS = 12
ROUNDS = 3
URI = "qemu:///session"


def main() -> None:
    """Measure and print."""
    with SessionDaemon() as daemon:
        Bench(daemon).run()


class Bench:
    """The guests, the three ways to save them, and bringing them back in between."""

    def __init__(self, daemon: SessionDaemon) -> None:
        self.daemon = daemon
        self.guestctl = command(daemon)
        self.bare = daemon.folder / "lib/bare.py"
        shutil.copy(Path(__file__).with_name("bare.py"), self.bare)
        self.specs = [GuestSpec(f"guest {number}", memory_mib=96) for number in range(GUESTS)]

    def run(self) -> None:
        """Measure in rounds, the first one not counted."""
        self.daemon.start_all(self.specs)
        ways = {
            "guestctl": lambda: self.saved_by(self.guestctl.argv("shutdown", "--preserve", "-q")),
            "serial": lambda: self.saved_by(self.script("one-after-another")),
            "threads": lambda: self.saved_by(self.script("threads")),
        }
        interleaved(1, ways)
        found = interleaved(ROUNDS, ways)
        engine = self.engine()
        serial, threads = found["guestctl"] / found["serial"], found["guestctl"] / found["threads"]
        table(
            f"{GUESTS} guests of 96 MiB, managed save, whole processes, median of {ROUNDS}",
            [
                ("guestctl shutdown --preserve", f"{found['guestctl']:.2f} s", ""),
                ("  of which the run itself", f"{engine:.2f} s", ""),
                ("one save after another", f"{found['serial']:.2f} s", ""),
                ("a thread and a connection each", f"{found['threads']:.2f} s", ""),
                ("guestctl / one after another", f"{serial:.2f}", within(serial, 0.5)),
                ("guestctl / threads", f"{threads:.2f}", within(threads, 1.2)),
            ],
        )

    def script(self, way: str) -> list[str]:
        """The command line of the plain script."""
        return [SYSTEM_PYTHON, str(self.bare), way, URI, *(spec.id for spec in self.specs)]

    def saved_by(self, argv: list[str]) -> float:
        """Save all guests that way; the seconds it took. They run again afterwards."""
        taken = seconds(lambda: self.daemon.run(argv, timeout=300))
        assert not self.up(), "some guest was not saved"
        self.bring_back()
        return taken

    def up(self) -> list[str]:
        """The guests that run."""
        return self.daemon.virsh("list", "--uuid").split()

    def bring_back(self) -> None:
        """Resume all guests and wait until they run."""
        virsh = ["virsh", "-q", "-c", self.daemon.uri, "start"]
        children = [
            self.daemon.popen([*virsh, spec.id], stdout=subprocess.DEVNULL) for spec in self.specs
        ]
        for child in children:
            assert child.wait(120) == 0
        wait_until(lambda: len(self.up()) == GUESTS, 60, "all guests up")

    def engine(self) -> float:
        """How long guestctl's own runs took, by its ledger: without its start and end."""
        runs = self.guestctl.json("history", "-n", str(ROUNDS))
        taken = sorted((run["ended"] - run["begun"]) / 1e9 for run in runs)
        return float(taken[len(taken) // 2])


if __name__ == "__main__":
    main()
