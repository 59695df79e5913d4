"""libvirt's events of guests, and QEMU's through libvirt: registered on a connection, as values."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import libvirt
import libvirt_qemu

from ...model.event import EventKind, GuestEvent
from ...model.guest import GuestId
from .. import tasks
from .constants import agent_state, event_detail, event_kind
from .policy_xml import NAMESPACE

#: What is listened to of QEMU's monitor (QEMU's qapi/run-state.json); the others, such as those
#: of a balloon, would wake the service all the time.
MONITOR_EVENTS = ("SHUTDOWN", "POWERDOWN", "RESET", "GUEST_PANICKED", "SUSPEND_DISK", "WATCHDOG")
#: Where QEMU says how it came about: a reason, or what was done.
_CAUSES = ("reason", "action")


@dataclass(frozen=True)
class Subscription:
    """Events of a connection that are heard; monitored: QEMU's as well.

    stop: no more of them, and let go of the connection, which libvirt keeps for its callbacks.
    """

    monitored: bool
    stop: Callable[[], None]


def listen(
    conn: Any,
    uri: str,
    loop: asyncio.AbstractEventLoop,
    tell: Callable[[GuestEvent], None],
    around: Callable[[], None],
    disconnected: Callable[[], None],
) -> Subscription:
    """Have events come to `tell`, on the loop; `disconnected` is called once none comes any more.

    around: called when networks, storage pools or devices of the host come or go, or guests' own
    settings change.

    Raises libvirtError.
    """

    def pass_on(domain: Any, kind: EventKind, detail: str, cause: str = "", **more: bool) -> None:
        guest = GuestId(uri, domain.UUIDString())
        # An asyncio loop's clock is the monotonic one, which may be read in any thread.
        event = GuestEvent(guest, domain.name(), kind, detail, cause, at=loop.time(), **more)
        tasks.call_soon(loop, lambda: tell(event))

    lifecycle, agent, monitor = (
        register(conn, pass_on) for register in (_lifecycle, _agent, _monitor)
    )
    with contextlib.suppress(libvirt.libvirtError):  # the test driver cannot break
        conn.registerCloseCallback(lambda *_: tasks.call_soon(loop, disconnected), None)
    stir = partial(tasks.call_soon, loop, around)
    policies, surroundings = _policies(conn, stir), _surroundings(conn, stir)
    undo = [stop for stop in (lifecycle, agent, monitor, policies, *surroundings) if stop]
    return Subscription(monitor is not None, lambda: _stop(conn, undo))


_PassOn = Callable[..., None]


def _lifecycle(conn: Any, pass_on: _PassOn) -> Callable[[], None]:
    def heard(_conn: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        kind = event_kind(event)
        pass_on(domain, kind, event_detail(kind, detail))

    number = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, heard, None)
    return lambda: conn.domainEventDeregisterAny(number)


def _agent(conn: Any, pass_on: _PassOn) -> Callable[[], None] | None:
    def heard(_conn: Any, domain: Any, state: int, _reason: int, _opaque: Any) -> None:
        pass_on(domain, EventKind.AGENT, agent_state(state))

    event = libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE
    try:
        number = conn.domainEventRegisterAny(None, event, heard, None)
    except libvirt.libvirtError:  # drivers without agents
        return None
    return lambda: conn.domainEventDeregisterAny(number)


def _monitor(conn: Any, pass_on: _PassOn) -> Callable[[], None] | None:
    """None where the driver is not QEMU's, or the connection is read-only."""

    def heard(
        _conn: Any, domain: Any, event: str, _s: int, _us: int, details: str | None, _opaque: Any
    ) -> None:
        says = json.loads(details) if details else {}
        cause = next((str(says[key]) for key in _CAUSES if key in says), "")
        pass_on(domain, EventKind.MONITOR, event, cause, by_guest=bool(says.get("guest")))

    names = f"^({'|'.join(MONITOR_EVENTS)})$"
    flags = libvirt_qemu.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX
    try:
        number = libvirt_qemu.qemuMonitorEventRegister(conn, None, names, heard, None, flags)
    except libvirt.libvirtError:
        return None
    return lambda: libvirt_qemu.qemuMonitorEventDeregister(conn, number)


def _policies(conn: Any, tell: Callable[[], None]) -> Callable[[], None] | None:
    """Of the settings in guests' metadata, by whomever they are changed; a guest may wait for less
    from then on."""

    def heard(_conn: Any, _domain: Any, _kind: int, namespace: str | None, _opaque: Any) -> None:
        if namespace == NAMESPACE:
            tell()

    event = libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE
    try:
        number = conn.domainEventRegisterAny(None, event, heard, None)
    except libvirt.libvirtError:  # drivers without metadata
        return None
    return lambda: conn.domainEventDeregisterAny(number)


def _surroundings(conn: Any, tell: Callable[[], None]) -> list[Callable[[], None]]:
    """Of what a guest may need; a driver or daemon that is not there says nothing."""
    kinds = (
        (conn.networkEventRegisterAny, conn.networkEventDeregisterAny, _NETWORK),
        (conn.storagePoolEventRegisterAny, conn.storagePoolEventDeregisterAny, _POOL),
        (conn.nodeDeviceEventRegisterAny, conn.nodeDeviceEventDeregisterAny, _DEVICE),
    )
    found: list[Callable[[], None]] = []
    for begin, end, event in kinds:
        with contextlib.suppress(libvirt.libvirtError):
            number = begin(None, event, lambda *_: tell(), None)
            found.append(partial(end, number))
    return found


_NETWORK = libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE
_POOL = libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE
_DEVICE = libvirt.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE


def _stop(conn: Any, undo: list[Callable[[], None]]) -> None:
    for work in (*undo, conn.unregisterCloseCallback, conn.close):
        with contextlib.suppress(libvirt.libvirtError):
            work()
