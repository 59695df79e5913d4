"""The guestctl command beside a service that it can ask, on a private bus."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from guestctl.host import status_file
from guestctl.host.locks import take_service_lock
from tests.unit.command import PYTHON, Command, Result
from tests.unit.fake_guestctl import Served, served
from tests.unit.private_bus import PrivateBus

#: The command, which looks for the service in a folder of the test's.
_PROGRAM = """
import sys
from pathlib import Path
from guestctl.host import machine

machine.SYSTEM_RUN = Path(sys.argv.pop(1))
from guestctl.cli import main
"""
_ENTRY = f"{_PROGRAM}\nmain.entry()"
LIMIT = 20.0


class Asking:
    """Runs the command, which asks the service."""

    def __init__(self, command: Command, bus: PrivateBus, folder: Path, service: Served) -> None:
        self.service = service
        self._command = command
        self._folder = folder
        self._env = {"DBUS_SYSTEM_BUS_ADDRESS": bus.address}

    def start(self, *arguments: str, program: str = _ENTRY) -> subprocess.Popen[str]:
        """To be waited for."""
        options = self._command.options(self._env)
        argv = [*PYTHON, "-c", program, str(self._folder), *arguments]
        pipe = subprocess.PIPE
        null = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=null, stdout=pipe, stderr=pipe, text=True, **options)

    def run(self, *arguments: str, status: int = 0) -> Result:
        """To the end, held to its exit status."""
        return self.end(self.start(*arguments), status)

    def end(self, process: subprocess.Popen[str], status: int) -> Result:
        """Of one that was started."""
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert "Traceback" not in err, err
        assert process.returncode == status, f"status {process.returncode}\n{out}\n{err}"
        return Result(process.args, status, out, err)

    def modules(self, *arguments: str) -> set[str]:
        """What a verb has imported by its end."""
        program = f"{_PROGRAM}\nmain.main(sys.argv[1:])\nprint('MODULES', *sys.modules)"
        done = self.end(self.start(*arguments, program=program), 0)
        return set(done.stdout.split("MODULES")[1].split())


@contextlib.contextmanager
def asking(command: Command, bus: PrivateBus) -> Iterator[Asking]:
    """The command and the service, which says that it runs."""
    folder = command.home / "run"
    descriptor = take_service_lock(folder)
    try:
        # The command's user may not be ours, and is to see that the lock is held.
        for name in ("daemon.lock", "."):
            os.chmod(folder / name, 0o755)
        status_file.write(folder, {"pid": os.getpid()})
        with served(bus) as service:
            yield Asking(command, bus, folder, service)
    finally:
        os.close(descriptor)
