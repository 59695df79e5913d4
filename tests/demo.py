"""`make demo`: half a dozen real guests are taken to safety, and brought back.

They belong to a libvirt session daemon of their own, in a temporary folder, so that the guests
of this machine are never touched.  At the end everything is gone again but the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.command import SYSTEM_PYTHON, install
from tests.testbed.console import Tick, last_tick, read_ticks, wait_for_tick, was_resumed
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.tiny_guest import tiny_guest

PERSISTENT = [
    GuestSpec("web"),
    GuestSpec("database & files", button="slow:5"),
    GuestSpec("désk tôp"),
    GuestSpec("stubborn", button="ignore"),
    GuestSpec("slow to leave", button="slow:4"),
]
TRANSIENT = GuestSpec("passing by")
CONFIG = """\
# The two that are not saved show the rest of the ladder.
[[guest]]
match = "stubborn"
save = "none"
shutdown-timeout = "6s"

[[guest]]
match = "slow to leave"
save = "none"
"""


def main() -> None:
    """The demo, from the first guest to the last."""
    say("Building the tiny guest (once; kept in the cache)")
    tiny_guest()
    with guests() as daemon:
        command(daemon, "plan")
        before = {spec.name: tick_of(daemon, spec.name) for spec in PERSISTENT}
        command(daemon, "shutdown", "--preserve")
        command(daemon, "list")
        command(daemon, "start")
        saved = [spec.name for spec in PERSISTENT[:3]]
        proofs = [prove(daemon, name, before[name]) for name in saved]
        command(daemon, "why", "stubborn")
    if not all(proofs):
        sys.exit("the demo failed: a saved guest did not go on where it was")
    say("Every saved guest went on where it was; nothing is left of the demo")


@contextmanager
def guests() -> Iterator[SessionDaemon]:
    """Six running guests; the daemon is started by its first client."""
    with SessionDaemon(on_demand=True) as daemon:
        install(daemon)
        (daemon.folder / "guestctl.toml").write_text(CONFIG)
        say("Starting six real QEMU guests in a libvirt session daemon of its own")
        # The first client starts the daemon; the others here come over its socket.
        daemon.run(["virsh", "-c", "qemu:///session", "uri"])
        for spec in PERSISTENT:
            daemon.start(spec, wait=False)
        daemon.create_transient(TRANSIENT, wait=False)
        for spec in [*PERSISTENT, TRANSIENT]:
            wait_for_tick(daemon.console(spec.name))
        yield daemon


def command(daemon: SessionDaemon, verb: str, *arguments: str) -> None:
    """Run guestctl as the session's user, its output to the user's terminal."""
    say(" ".join(["guestctl", verb, *arguments]))
    options = ["-c", "qemu:///session", "--config", str(daemon.folder / "guestctl.toml")]
    argv = [SYSTEM_PYTHON, "-m", "guestctl", verb, *options, *arguments]
    if daemon.popen(argv).wait(timeout=120):
        sys.exit(f"the demo failed: guestctl {verb}")


def prove(daemon: SessionDaemon, name: str, before: Tick) -> bool:
    """Show from its own console whether a guest went on where it was."""
    log = daemon.console(name)
    wait_for_tick(log, len(read_ticks(log)))
    after = tick_of(daemon, name)
    went_on = was_resumed(log, before)
    verdict = "went on" if went_on else "DID NOT GO ON"
    print(f"{name}: tick {before.n} before, tick {after.n} now, boot {after.boot_id}: {verdict}")
    return went_on


def tick_of(daemon: SessionDaemon, name: str) -> Tick:
    """The last tick of a guest that has shown one."""
    tick = last_tick(daemon.console(name))
    assert tick is not None
    return tick


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


if __name__ == "__main__":
    main()
