"""Checks of the folders of saves, of the ledger, and of the ledger's second copy.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model.finding import Finding, Severity
from ..model.host_folders import FileSystem, Folder
from ..model.host_state import known
from ..model.options import Scope
from ..model.units import show_size
from .check import Check
from .host_facts import HostFacts, plan_of
from .host_state import HostState

#: Bytes below which the ledger may not be written in the middle of a run.
LEDGER_NEEDS = 8 * 2**20
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "rootfs"})
_MEMORY_DEVICES = ("/dev/zram", "/dev/ram")
#: Emptied at boot, whatever they are on (tmpfiles.d(5), hier(7)).
_EMPTIED = ("/tmp", "/run", "/var/run", "/dev/shm")
_ON_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "lustre", "ocfs2", "gfs2"}
)
_FUSE_ON_NETWORK = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone")


def why_lost(folder: Folder) -> str:
    """Why what is there is gone after the host's end; "" where it stays."""
    for emptied in _EMPTIED:
        if f"{folder.real}/".startswith(f"{emptied}/"):
            return f"{emptied} is emptied at boot"
    found = folder.file_system
    return f"it is in memory: {found}" if found and _is_in_memory(found) else ""


def _is_in_memory(found: FileSystem) -> bool:
    kinds = {found.kind, found.layer}
    return bool(kinds & _IN_MEMORY) or found.source.startswith(_MEMORY_DEVICES)


def is_on_network(found: FileSystem | None) -> bool:
    """Whether other machines, or the network, can be away."""
    return found is not None and (found.kind in _ON_NETWORK or found.kind in _FUSE_ON_NETWORK)


def _saves_lost(state: HostState) -> Iterator[Finding]:
    facts = known(state.facts)
    for uri, folder in known(state.folders).saves:
        if (why := why_lost(folder)) and _saves_there(facts, uri):
            text = f"saves of {uri} are lost as the host goes off: {folder} is not kept"
            yield _of_folder(folder, text, why)


def _saves_there(facts: HostFacts, uri: str) -> bool:
    planned = any(plan.saves for plan in plan_of(facts).guests if plan.guest.id.uri == uri)
    return planned or facts.config.shutdown.save is not Scope.NONE


def _saves_on_network(state: HostState) -> Iterator[Finding]:
    for uri, folder in known(state.folders).saves:
        if is_on_network(folder.file_system):
            text = f"saves of {uri} go over the network: {folder}"
            yield _of_folder(folder, text, str(folder.file_system))


def _of_folder(folder: Folder, text: str, seen: str) -> Finding:
    return Finding(text, f"findmnt --target {shlex.quote(folder.real)}", evidence=(seen,))


def _ledger_lost(state: HostState) -> Iterator[Finding]:
    folder = known(state.folders).ledger
    if folder and (why := why_lost(folder)):
        text = f"the ledger is lost as the host goes off: {folder} is not kept"
        yield _of_folder(folder, text, why)


def _ledger_on_network(state: HostState) -> Iterator[Finding]:
    folder = known(state.folders).ledger
    if folder and is_on_network(folder.file_system):
        text = f"the ledger is on a network file system: {folder}"
        yield _of_folder(folder, text, str(folder.file_system))


def _ledger_room(state: HostState) -> Iterator[Finding]:
    folder = known(state.folders).ledger
    if folder and folder.free is not None and folder.free < LEDGER_NEEDS:
        text = f"there is no room left for the ledger below {folder}"
        seen = f"{show_size(folder.free)} free, {folder.file_system or 'on an unknown file system'}"
        yield Finding(text, f"df {shlex.quote(folder.real)}", evidence=(seen,))


def _copy(state: HostState) -> Iterator[Finding]:
    folders = known(state.folders)
    if folders.copy and (why := why_lost(folders.copy)):
        text = f"the second copy of the ledger is lost as the host goes off: {folders.copy}"
        yield _of_folder(folders.copy, text, why)
    if folders.useless:
        text = f"the second copy of the ledger cannot be read: {folders.useless}"
        path = folders.useless.partition(": ")[0]
        yield Finding(text, f"rm {shlex.quote(path)}", evidence=(folders.useless,))


def _strays(state: HostState) -> Iterator[Finding]:
    for stray in known(known(state.folders).strays):
        whose = f"the guest {stray.uuid}" if stray.uuid else "no guest that it tells"
        yield Finding(
            f"{stray.path} is a save of no guest that is defined",
            f"virsh save-image-dumpxml {shlex.quote(stray.path)}",
            evidence=(f"{show_size(stray.size)}, of {whose}",),
        )


CHECKS = (
    Check(
        "saves-not-kept",
        Severity.ERROR,
        "the folder of saves is on a disk",
        "Guests are saved to memory, or to where the next boot deletes: what they did is lost.",
        "Mount a disk there, or let the link lead to one.",
        _saves_lost,
    ),
    Check(
        "ledger-not-kept",
        Severity.ERROR,
        "the ledger is on a disk",
        "After a boot it is not known what is wanted: holds are forgotten, and guests stay off.",
        "Mount a disk on /var/lib/guestctl, or on what it is in.",
        _ledger_lost,
    ),
    Check(
        "ledger-room",
        Severity.ERROR,
        "there is room for the ledger on its disk",
        "What a run does is not remembered: the next boot may not bring back whom it saved.",
        "Make room there.",
        _ledger_room,
    ),
    Check(
        "ledger-on-network",
        Severity.WARNING,
        "the ledger is on a disk of this host",
        "It needs shared memory and locks that those have not, and may be out of reach.",
        "Give /var/lib/guestctl a file system of this host.",
        _ledger_on_network,
    ),
    Check(
        "saves-on-network",
        Severity.NOTE,
        "saves go to a disk of this host",
        "Saving and resuming take the network and the other machine.",
        "Nothing has to be done as long as those are up when this host goes down, and as it boots.",
        _saves_on_network,
    ),
    Check(
        "save-of-nobody",
        Severity.WARNING,
        "each managed save belongs to a guest that is defined",
        "libvirt goes by the file's name: the next guest of that name is not started where it has"
        " another UUID, and libvirt 11.3 removes the save as it tries; with the same one it is"
        " resumed from that save, without a word, also on disks that were written since. The file"
        " keeps its room until then.",
        "Define that guest again if what is in the save is wanted, and nobody has started it"
        " elsewhere since; else remove the file.",
        _strays,
    ),
    Check(
        "second-copy",
        Severity.NOTE,
        "the ledger's second copy can be read, and is on a disk",
        "Should the ledger be lost, it cannot be told from its copy who is to come back.",
        "Nothing has to be done: the next run makes it anew; a disk below /var/cache keeps it.",
        _copy,
    ),
)
