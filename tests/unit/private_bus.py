"""A real bus of a test's own, and services on it that answer as logind and systemd do."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guestctl.host.bus_connection import Connection, Receiver
from guestctl.host.bus_messages import (
    DRIVER,
    DRIVER_PATH,
    ERROR,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
    Message,
)
from guestctl.host.bus_values import Variant
from guestctl.host.dbus_library import Outgoing
from tests.unit.marshalled import encode

CONFIG = """<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{folder}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
#: A service that leaves a file behind when anybody starts it.
ACTIVATED = "[D-BUS Service]\nName={name}\nExec=/usr/bin/touch {folder}/activated\n"


class PrivateBus:
    """A dbus-daemon, which can be ended and started anew at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:path={folder}/bus"
        (folder / "bus.conf").write_text(CONFIG.format(address=self.address, folder=folder))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Returns when it listens."""
        (self.folder / "bus").unlink(missing_ok=True)
        argv = ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"]
        self.process = subprocess.Popen([*argv, "--print-address"], stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline().startswith(b"unix:")

    def kill(self) -> None:
        """End it, as a crash does."""
        if self.process and self.process.stdout:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def activatable(self, name: str) -> None:
        """From its next start on, the bus starts this service for any call that lets it."""
        text = ACTIVATED.format(name=name, folder=self.folder)
        (self.folder / f"{name}.service").write_text(text)

    @property
    def activated(self) -> bool:
        """Whether it was started."""
        return (self.folder / "activated").exists()


@contextmanager
def private_bus() -> Iterator[PrivateBus]:
    """A bus that ends with the test."""
    with tempfile.TemporaryDirectory(prefix="gcbus-") as name:
        os.chmod(name, 0o755)  # as the system's bus is: for every user
        bus = PrivateBus(Path(name))
        try:
            yield bus
        finally:
            bus.kill()


class Refusal(Exception):
    """The call is answered with a D-Bus error."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.text = text


Answer = tuple[str, list[Any], list[int]]


class FakeService:
    """Owns a name and answers calls; a call that nothing is known of hangs."""

    def __init__(self, name: str, path: str, interface: str) -> None:
        self.name, self.path, self.interface = name, path, interface
        self.methods: dict[str, Callable[[list[Any]], Answer]] = {}
        self.properties: dict[str, Variant] = {}
        self.calls: list[str] = []
        #: Calls that nothing is known of.
        self.unanswered: list[Message] = []
        self.connection: Connection
        self._named: asyncio.Future[None]

    async def connect(self, address: str) -> None:
        """Come to the bus, also after it was started anew."""
        self._named = asyncio.get_running_loop().create_future()
        receiver = Receiver(lambda _: True, self._take, lambda _, __: None, lambda: None)
        self.connection = Connection(receiver)
        await self.connection.connect(address, negotiate_unix_fd=True)
        arguments = (self.name, 0)
        call = (METHOD_CALL, DRIVER, DRIVER_PATH, DRIVER, "RequestName", "su", arguments)
        self.connection.send(Outgoing(*call))
        await self._named

    def leave(self) -> None:
        """As a service that is stopped."""
        self.connection.close()

    def emit(self, member: str, signature: str, *body: Any, to: str = "") -> None:
        """Send a signal to all who listen, or to one."""
        signal = Outgoing(SIGNAL, to, self.path, self.interface, member, signature, body)
        self.connection.send(signal)

    def reply(self, call: Message, answer: Answer) -> None:
        """Answer a call.  Once sent, the descriptors are the receiver's alone."""
        signature, body, fds = answer
        serial, caller = call.header.serial, call.header.sender
        if fds:
            fields = {"signature": signature, "reply_serial": serial, "destination": caller}
            self.send_fds(METHOD_RETURN, body, fds, **fields)
        else:
            reply = Outgoing(METHOD_RETURN, caller, reply_serial=serial)
            self.connection.send(reply._replace(signature=signature, body=body))

    def send_fds(self, kind: int, body: list[Any], fds: list[int], **fields: Any) -> None:
        """Send what guestctl never does: file descriptors, which are closed here."""
        sock = self.connection._socket
        assert sock
        data = encode(kind, body, unix_fds=len(fds), **fields)
        assert socket.send_fds(sock, [data], fds) == len(data)
        close_all(fds)

    def _take(self, message: Message) -> None:
        if message.header.kind == METHOD_CALL:
            self._answer(message)
        elif message.header.sender == DRIVER and message.header.kind == METHOD_RETURN:
            self._named.set_result(None)

    def _answer(self, call: Message) -> None:
        member = call.header.member
        self.calls.append(member)
        try:
            method = self._get if member == "Get" else self.methods[member]
            answer = method(call.body)
        except KeyError:
            self.unanswered.append(call)
        except Refusal as refusal:
            error = Outgoing(ERROR, call.header.sender, reply_serial=call.header.serial)
            if refusal.text:
                error = error._replace(signature="s", body=[refusal.text])
            self.connection.send(error._replace(error_name=refusal.name))
        else:
            self.reply(call, answer)

    def _get(self, body: list[Any]) -> Answer:
        return "v", [self.properties[body[1]]], []


class FakeLogind(FakeService):
    """logind as far as guestctl knows it, its inhibitors real."""

    def __init__(self) -> None:
        super().__init__(
            "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
        )
        self.in_progress = False
        self.preparing = False
        self.properties["InhibitDelayMaxUSec"] = Variant("t", 5_000_000)
        self.methods = {"Inhibit": self._inhibit}
        self.asked: list[list[Any]] = []
        self._ends: list[int] = []
        #: Most locks held at the same time, and fewest once there was one.
        self.most, self.fewest = 0, 1

    @property
    def preparing(self) -> bool:
        """The property PreparingForShutdown."""
        return bool(self.properties["PreparingForShutdown"].value)

    @preparing.setter
    def preparing(self, value: bool) -> None:
        self.properties["PreparingForShutdown"] = Variant("b", value)

    @property
    def locks(self) -> int:
        """How many inhibitors are held: their other ends are open."""
        poll = select.poll()
        for end in self._ends:
            poll.register(end, 0)
        for end, _ in poll.poll(0):
            self._ends.remove(end)
            os.close(end)
        return len(self._ends)

    def shut_down(self, kind: str = "", *, signal: bool = True) -> None:
        """Announce a shutdown, as systemd 257 does where there is a kind, else as 252."""
        self.preparing = self.in_progress = True
        if kind:
            metadata = {"type": Variant("s", kind)}
            self.emit("PrepareForShutdownWithMetadata", "ba{sv}", True, metadata)
        if signal:
            self.emit("PrepareForShutdown", "b", True)

    def cancel(self, *, signal: bool = False) -> None:
        """Take it back; 257 sends no signal then."""
        self.preparing = self.in_progress = False
        if signal:
            self.emit("PrepareForShutdown", "b", False)

    def _inhibit(self, body: list[Any]) -> Answer:
        self.asked.append(body)
        if self.in_progress:
            raise Refusal("org.freedesktop.login1.OperationInProgress")
        ours, theirs = os.pipe()
        self.fewest = min(self.fewest, self.locks) if self._ends else self.fewest
        self._ends.append(ours)
        self.most = max(self.most, self.locks)
        return "h", [0], [theirs]

    def close(self) -> None:
        """Close what is left of the locks."""
        for end in self._ends:
            os.close(end)
        self._ends.clear()


class FakeSystemd(FakeService):
    """systemd's manager, in a state, with jobs."""

    def __init__(self, state: str = "running", *jobs: tuple[str, str]) -> None:
        super().__init__(
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
        )
        self.properties["SystemState"] = Variant("s", state)
        rows = [[1, unit, kind, "waiting", "/job/1", "/unit/1"] for unit, kind in jobs]
        self.methods["ListJobs"] = lambda _: ("a(usssoo)", [rows], [])


def close_all(fds: list[int]) -> None:
    """Close them."""
    for fd in fds:
        os.close(fd)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come about; the test's own limit ends it."""
    while not condition():  # noqa: ASYNC110 - what is waited for is another process's, or the bus's
        await asyncio.sleep(0.01)


def open_fds() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
