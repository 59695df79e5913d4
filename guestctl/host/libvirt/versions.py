"""The versions of libvirt: of its library in this process, and of its daemons."""

from __future__ import annotations

from typing import Any

import libvirt

from ...model.host_details import Version
from .connections import Pool


def client() -> Version:
    """Of the library."""
    return _version(libvirt.getVersion())


async def server(uri: str) -> Version:
    """Of the daemon.  Raises HypervisorError."""
    pool = Pool(uri, True, 1)
    try:
        return _version(await pool.call(_number))
    finally:
        pool.close()


def _number(conn: Any) -> int:
    return int(conn.getLibVersion())


def _version(number: int) -> Version:
    """libvirt writes 12.8.0 as 12008000."""
    return number // 1_000_000, number // 1000 % 1000, number % 1000
