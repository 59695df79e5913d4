"""A systemctl on a host that waits before or after a call: whoever called it is ended meanwhile.

Also the calls that update-rc.d makes, which systemctl calls for libvirt-guests' init script.
"""

from __future__ import annotations

from tests.testbed.host import ENV, Host
from tests.testbed.waiting import wait_until

FOLDER = "/opt/held"
#: Calls that only ask are let through.  It waits while `held` is there, and goes on if told to.
SCRIPT = """\
#!/bin/sh
wait_there() {
    [ "$1 $calls" = "$(cat /run/hold-at)" ] || return 0
    touch /run/held
    while [ -e /run/held ]; do sleep 0.05; done
    exit 1
}
case "$*" in *" show "*) exec /usr/bin/systemctl "$@" ;; esac
calls=$(($(cat /run/calls 2>/dev/null || echo 0) + 1))
echo $calls > /run/calls
echo "$*" >> /run/called
wait_there before
/usr/bin/systemctl "$@"
status=$?
wait_there after
exit $status
"""


class HeldSystemctl:
    """For commands that are run with it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        script = host.root / FOLDER.lstrip("/") / "systemctl"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(SCRIPT)
        script.chmod(0o755)

    def calls_of(self, command: str) -> int:
        """How many calls that change something the command makes, if it is left alone."""
        self._hold_at("never")
        self.host.run(command, env=self._env, timeout=120)
        return int(self.host.run("cat /run/calls").stdout)

    def end_at(self, command: str, point: str, signal: str) -> int:
        """Its status: it is sent the signal at that point, such as "before 3"."""
        self._hold_at(point)
        child = self.host.popen(command.split(), env=self._env)
        wait_until(self._is_held, 60, f"call {point} of {command}")
        self.host.run(["pkill", f"-{signal}", "-f", f"bin/{command}$"])
        self.host.run("rm /run/held")
        status: int = child.wait(120)
        wait_until(self._nobody_calls, 30, "end of what was called")
        return status

    def _nobody_calls(self) -> bool:
        argv = ["pgrep", "-f", f"{FOLDER}/systemctl"]
        return self.host.run(argv, check=False).returncode == 1

    def _is_held(self) -> bool:
        return self.host.run("test -e /run/held", check=False).returncode == 0

    def _hold_at(self, point: str) -> None:
        self.host.run(f"rm -f /run/calls /run/called /run/held; echo '{point}' > /run/hold-at")

    @property
    def _env(self) -> dict[str, str]:
        return {**ENV, "PATH": f"{FOLDER}:{ENV['PATH']}"}
