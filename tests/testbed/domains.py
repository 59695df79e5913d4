"""What a session daemon and a host have in common: guests, made and watched with virsh."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path

from .commands import CommandError
from .console import Tick, read_ticks, wait_for_tick
from .guests import GuestSpec, guest_uuid
from .waiting import wait_until


class Domains(ABC):
    """The guests of one libvirt daemon."""

    def __init__(self) -> None:
        """Know no guest yet."""
        self._ids: dict[str, str] = {}

    @abstractmethod
    def virsh(self, *args: str, timeout: float = 120) -> str:
        """What virsh prints on this daemon; CommandError if it fails."""

    @abstractmethod
    def console(self, name: str) -> Path:
        """The file to which the guest's console is written, as it is called on this machine."""

    @abstractmethod
    def _write_xml(self, spec: GuestSpec) -> str:
        """Write the guest's XML where virsh can read it; what virsh has to call the file."""

    def id_of(self, name: str) -> str:
        """The guest's uuid, the safe way to name it to virsh whatever its name looks like."""
        return self._ids.get(name) or guest_uuid(name)

    def define(self, spec: GuestSpec) -> None:
        """Define the guest."""
        self.virsh("define", self._xml_file(spec))

    def start(self, spec: GuestSpec, wait: bool = True) -> Tick | None:
        """Define the guest and start it; by default wait until it listens to its button."""
        self.define(spec)
        return self._started(spec.name, wait, "start", spec.id)

    def start_again(self, name: str, wait: bool = True) -> Tick | None:
        """Start a guest that is defined already; a managed save is resumed."""
        return self._started(name, wait, "start", self.id_of(name))

    def create_transient(self, spec: GuestSpec, wait: bool = True) -> Tick | None:
        """Start a guest that is not defined: gone when it stops."""
        return self._started(spec.name, wait, "create", self._xml_file(spec))

    def create_paused(self, spec: GuestSpec) -> None:
        """Have a guest that is not defined, and whose processor stands still from the start."""
        self.virsh("create", self._xml_file(spec), "--paused")

    def start_all(self, specs: list[GuestSpec]) -> None:
        """Start guests side by side and wait until each listens to its button."""
        seen = {spec.name: len(read_ticks(self.console(spec.name))) for spec in specs}
        for spec in specs:
            self.start(spec, wait=False)
        for name, ticks in seen.items():
            wait_for_tick(self.console(name), ticks)

    def _started(self, name: str, wait: bool, *command: str) -> Tick | None:
        seen = len(read_ticks(self.console(name)))
        self.virsh(*command)
        return wait_for_tick(self.console(name), seen) if wait else None

    def _xml_file(self, spec: GuestSpec) -> str:
        self._ids[spec.name] = spec.id
        return self._write_xml(spec)

    def state(self, name: str) -> str:
        """The guest's state as virsh names it; "undefined" when there is no such guest."""
        try:
            return self.virsh("domstate", self.id_of(name)).strip()
        except CommandError as error:
            if "failed to get domain" not in str(error):
                raise
            return "undefined"

    def wait_for_state(self, name: str, state: str, timeout: float = 120) -> None:
        """Wait until the guest has that state."""
        wait_until(lambda: self.state(name) == state, timeout, f"state {state} of {name!r}")

    def wait_for_agent(self, name: str, timeout: float = 120) -> None:
        """Wait until the guest's agent answers."""
        wait_until(lambda: self._agent_answers(name), timeout, f"agent in {name!r}")

    def _agent_answers(self, name: str) -> bool:
        with contextlib.suppress(CommandError):
            self.virsh("qemu-agent-command", self.id_of(name), '{"execute":"guest-ping"}')
            return True
        return False
