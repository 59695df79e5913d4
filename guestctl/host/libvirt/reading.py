"""The states of guests, by calls that need none of libvirtd's workers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import libvirt

from ...model.guest import GuestFacts, GuestId, State
from .connections import is_alive
from .constants import state_and_reason


def read_one(uri: str, conn: Any, uuid: str) -> GuestFacts:
    """One guest, without whether it has a save."""
    return _read(uri, conn.lookupByUUIDString(uuid))


def read_all(uri: str, conn: Any) -> list[GuestFacts]:
    """Every guest, running or not."""
    guests = list(_read_each(uri, conn))
    # Afterwards: a guest that was just saved must not seem to have gone down without a save.
    saved = with_save(conn)
    return [marked(guest, saved) for guest in guests]


def with_save(conn: Any) -> frozenset[str]:
    """The UUIDs of guests with a managed save.

    Not asked guest by guest: virDomainHasManagedSaveImage waits for one of libvirtd's workers,
    all of which calls on frozen guests can keep busy.  libvirt goes by the same flag.  Of a
    thousand guests it takes a thousand times as long as the state of one: see Shared.
    """
    try:
        found = conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _KNOWS_NO_SAVES:
            raise
        return frozenset()
    return frozenset(domain.UUIDString() for domain in found)


_KNOWS_NO_SAVES = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_INVALID_ARG)


def marked(guest: GuestFacts, saved: Collection[str]) -> GuestFacts:
    """The guest, with whether it is one of those with a save."""
    return replace(guest, saved=guest.persistent and guest.id.uuid in saved)


def _read_each(uri: str, conn: Any) -> Iterator[GuestFacts]:
    for domain in conn.listAllDomains():
        try:
            yield _read(uri, domain)
        except libvirt.libvirtError as error:
            if not is_alive(conn):
                raise
            # Undefined, or a transient guest that ended, since it was listed.
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                guest = GuestId(uri, domain.UUIDString())
                yield GuestFacts(guest, domain.name(), State.UNKNOWN)


def _read(uri: str, domain: Any) -> GuestFacts:
    state, reason = state_and_reason(*domain.state())
    persistent = bool(domain.isPersistent())
    return GuestFacts(
        id=GuestId(uri, domain.UUIDString()),
        name=domain.name(),
        state=state,
        reason=reason,
        persistent=persistent,
        autostart=persistent and bool(domain.autostart()),
        memory=domain.maxMemory() * 1024,
    )


def started_once(conn: Any) -> frozenset[str]:
    """The UUIDs of guests of which `virsh autostart --once` was said.

    libvirt and its binding know that from 11.2 on.  It is not read with the states: the call may
    have to wait for one of libvirtd's workers.
    """
    domains = conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
    return frozenset(domain.UUIDString() for domain in domains if _is_started_once(domain))


def _is_started_once(domain: Any) -> bool:
    ask = getattr(domain, "autostartOnce", None)
    try:
        return bool(ask and ask())
    except libvirt.libvirtError as error:
        if error.get_error_code() in _UNKNOWN_OF_IT:
            return False
        raise


#: How a driver, or a daemon older than the binding, says that it has no such call; and a guest that
#: was undefined since it was listed.
_UNKNOWN_OF_IT = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_DOMAIN)
