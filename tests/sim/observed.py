"""What is observed of a guest: the words of facts.toml that a look at a real host can fill in.

How a guest behaves is another matter (behaviour.py): nobody can observe it.  A file with
nothing but these words is a whole facts.toml; its guests behave as guests mostly do.
"""

from __future__ import annotations

from dataclasses import dataclass

from guestctl.model.guest import Disk, OwnSetting, State

MIB = 1024 * 1024


@dataclass(frozen=True)
class Observed:
    """One guest as it was found.

    uuid: follows from the name where it is empty.  reason: libvirt's word for how the state
    came about; empty for the usual one.  saved: whether it has a managed save.  memory: bytes.
    manager, unsavable, disks, digest, has_agent, restarts, policy, policy_faults: as DomainInfo
    has them, beside what a test's XML says; no disks: one file of its own; None: its XML could
    not be read.
    """

    name: str
    uri: str = "qemu:///system"
    uuid: str = ""
    state: State = State.RUNNING
    reason: str = ""
    persistent: bool = True
    autostart: bool = False
    autostart_once: bool = False
    saved: bool = False
    memory: int = 1024 * MIB
    manager: str | None = None
    unsavable: tuple[str, ...] = ()
    disks: tuple[Disk, ...] | None = ()
    digest: str = ""
    has_agent: bool = False
    restarts: bool = False
    policy: tuple[OwnSetting, ...] = ()
    policy_faults: tuple[str, ...] = ()
