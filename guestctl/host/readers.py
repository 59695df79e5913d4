"""Who may read what the service knows: whoever may read libvirt's read-only socket.

libvirt lets somebody in there by the mode of the socket, and then by polkit's action
org.libvirt.unix.monitor, which is allowed to all by default; root is not asked about (libvirt 9.0
to 12.8).  Where polkit does not answer, or does not know the action, libvirt refuses, and so is it
here.  `auth_unix_ro = "none"` in libvirtd.conf is not looked at: without polkit only root reads.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from . import tasks
from .polkit import ALLOWED, ROOT, Answer, Verdict, authorization

ACTION = "org.libvirt.unix.monitor"
#: Of libvirtd or virtproxyd, and of virtqemud: either is enough.
SOCKETS = (Path("/run/libvirt/libvirt-sock-ro"), Path("/run/libvirt/virtqemud-sock-ro"))
#: Seconds for the user database, which may be far away.
GROUPS_LIMIT = 5.0
#: Of a mode: what connecting to a socket takes, and passing its folder.
_CONNECT, _PASS = 0o222, 0o111
_OWNER, _GROUP, _OTHERS = 0o700, 0o070, 0o007

_look_ups = tasks.OneAtATime()


async def may_read(
    uid: int,
    caller: str,
    *,
    interactive: bool,
    starts: bool,
    sockets: Iterable[Path] = SOCKETS,
    address: str = "",
) -> Answer:
    """Whether a user may, who is on the bus under this unique name; the others are as of
    `polkit.authorization`.

    No socket: libvirt is not installed, or was never started, and polkit alone decides.  Groups,
    where the modes make them matter, are those of the user database (libvirt goes by those of the
    process); one that does not know the user, or says nothing within 5 s: refused.
    """
    if uid == ROOT:
        return ALLOWED
    doors = [door for socket in sockets if (door := _Door.at(socket))]
    if doors and not await _let_in(doors, uid):
        return Answer(Verdict.REFUSED, _shut_out(doors[0]))
    return await authorization(
        caller, ACTION, interactive=interactive, starts=starts, address=address
    )


def _shut_out(door: _Door) -> str:
    return (
        "not permitted: whoever may read libvirt's read-only socket may read, and the mode of"
        f" {door.socket} does not let you"
    )


class _Door(NamedTuple):
    """A socket and the folder that it is in.  Lists of access (acl(5)) are not looked at: with one,
    the mode's bits of the group are the most that it gives to anybody."""

    socket: Path
    of_socket: os.stat_result
    of_folder: os.stat_result

    @classmethod
    def at(cls, socket: Path) -> Self | None:
        """None where there is no socket."""
        try:
            return cls(socket, socket.stat(), socket.parent.stat())
        except OSError:
            return None

    def lets_in(self, uid: int, groups: Iterable[int]) -> bool:
        """By the modes of both."""
        passes = self.of_folder.st_mode & _PASS & _bits_for(uid, groups, self.of_folder)
        connects = self.of_socket.st_mode & _CONNECT & _bits_for(uid, groups, self.of_socket)
        return bool(passes and connects)

    def is_for_all(self) -> bool:
        """Whether it lets everybody in, whatever their groups."""
        passes = self.of_folder.st_mode & _PASS == _PASS
        return passes and self.of_socket.st_mode & _CONNECT == _CONNECT


def _bits_for(uid: int, groups: Iterable[int], file: os.stat_result) -> int:
    """As the kernel has it: who is the owner, or in the group, is not one of the others."""
    if uid == file.st_uid:
        return _OWNER
    return _GROUP if file.st_gid in groups else _OTHERS


async def _let_in(doors: list[_Door], uid: int) -> bool:
    if any(door.is_for_all() for door in doors):
        return True
    groups = await _groups_of(uid)
    return groups is not None and any(door.lets_in(uid, groups) for door in doors)


async def _groups_of(uid: int) -> frozenset[int] | None:
    """All groups that the user database has them in; None where it does not say.

    A database that hangs costs a thread for each user, however often they call.
    """

    def look_up() -> frozenset[int]:
        user = pwd.getpwuid(uid)
        return frozenset(os.getgrouplist(user.pw_name, user.pw_gid))

    try:
        async with asyncio.timeout(GROUPS_LIMIT):
            return await _look_ups.do(uid, look_up)
    except (KeyError, OSError):  # a TimeoutError is an OSError
        return None
