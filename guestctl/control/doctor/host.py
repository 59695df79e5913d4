"""libvirt's daemons, the bus, the clock and versions, for the doctor."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from ...host import clock
from ...host.bus import BusError, SystemBus
from ...host.hooks import HOOK
from ...host.libvirt import conf_file, processes, versions
from ...host.programs import is_program
from ...host.systemd import MANAGER, NAME, PATH
from ...model.given import NotUnderstood
from ...model.host_auto_shutdown import QEMU_CONF
from ...model.host_details import (
    Daemon,
    HostDetails,
    HostRunning,
    Running,
    Settings,
    SetTo,
    Shipped,
    Version,
)
from ...model.host_state import NotKnown
from ...model.ports import HypervisorError
from ...model.uris import is_system
from .look import Look

_BUS = ("/etc/dbus-1/system.d", "/usr/share/dbus-1/system.d", "/usr/local/share/dbus-1/system.d")
#: polkit 122 knows the first alone.
_POLKIT = (
    "/usr/share/polkit-1/actions",
    "/usr/local/share/polkit-1/actions",
    "/etc/polkit-1/actions",
)
_NETWORK = "/sys/class/net"
_PACKAGE = Path("/var/lib/dpkg/info/guestctl.list")


def gather(look: Look) -> HostDetails:
    """What stands in files; nothing of it of users' own daemons."""
    if not any(map(is_system, look.local.uris)):
        return HostDetails()
    return HostDetails(
        tuple(map(_daemon, processes.running())),
        _settings(Path(QEMU_CONF)),
        _shipped("the bus's policy for guestctl", _BUS, "org.guestctl1.conf"),
        _shipped("polkit's file of guestctl's actions", _POLKIT, "org.guestctl1.policy"),
        Shipped("libvirt's hook of guestctl", (HOOK,), Path(HOOK).exists(), is_program(HOOK)),
        _PACKAGE.exists(),
    )


def _daemon(process: processes.Process) -> Daemon:
    conf = Path("/", process.conf)
    return Daemon(process.unit, str(conf), _settings(conf))


def _settings(file: Path) -> Settings:
    """None of them where there is no such file: the daemon has its defaults then."""
    try:
        given = conf_file.read(file.read_text(errors="replace"), file)
        return {key: SetTo(it.value, str(file), it.line or 0) for key, it in given.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        return NotKnown(str(file), str(error), refused=isinstance(error, PermissionError))
    except NotUnderstood as error:
        return NotKnown(str(file), str(error))


def _shipped(what: str, folders: tuple[str, ...], name: str) -> Shipped:
    places = tuple(f"{folder}/{name}" for folder in folders)
    return Shipped(what, places, any(Path(place).exists() for place in places))


# What runs


def running(look: Look) -> HostRunning:
    """Processes, versions and the clock."""
    local = look.local
    if not any(map(is_system, local.uris)):
        return HostRunning(clock=clock.look(), client=versions.client(), python=_python())
    lost = {connection.uri for connection in look.facts.lost}
    return asyncio.run(_running([uri for uri in local.uris if uri not in lost]))


async def _running(uris: list[str]) -> HostRunning:
    return HostRunning(
        tuple(filter(None, map(_began, processes.QEMU))),
        clock.look(),
        versions.client(),
        {uri: version for uri in uris if (version := await _server(uri))},
        await _systemd(),
        _python(),
        _network_devices(),
    )


def _began(daemon: processes.Process) -> Running | None:
    when = processes.began(daemon)
    return None if when is None else Running(daemon.unit, when, processes.newer(daemon, when))


async def _server(uri: str) -> Version | None:
    """A connection that is lost is another check's."""
    try:
        return await versions.server(uri)
    except HypervisorError:
        return None


async def _systemd() -> Version | None:
    """systemd says "257 (257.9-1~deb13u1)"."""
    try:
        bus = await SystemBus.connect()
    except BusError:
        return None
    try:
        said = str(await bus.get_property(NAME, PATH, MANAGER, "Version", "s"))
        return (int(said.split()[0].partition(".")[0].partition("~")[0]),)
    except (BusError, ValueError, IndexError):
        return None
    finally:
        bus.close()


def _network_devices() -> frozenset[str] | None:
    try:
        return frozenset(os.listdir(_NETWORK))
    except OSError:
        return None


def _python() -> Version:
    return sys.version_info[:3]
