"""The folders of saves and of the ledger, for the doctor."""

from __future__ import annotations

from ...host import machine
from ...host.file_systems import look as look_at
from ...host.storage import save_folder
from ...ledger.second_copy import SecondCopy
from ...model.host_folders import HostFolders
from .look import Look


def gather(look: Look) -> HostFolders:
    """All of them.  Blocks for as long as a file system does; raises OSError."""
    local, copy = look.local, machine.copy_folder()
    folders = {uri: save_folder(uri) for uri in local.uris}
    return HostFolders(
        tuple((uri, look_at(folder)) for uri, folder in folders.items() if folder),
        look_at(local.ledger_path.parent),
        look_at(copy),
        SecondCopy(copy).trouble(),
    )
