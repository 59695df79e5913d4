"""The folders of saves and of the ledger, for the doctor."""

from __future__ import annotations

from ...decisions.host_facts import HostFacts
from ...host import machine, stray_saves
from ...host.file_systems import look as look_at
from ...host.storage import save_folder
from ...ledger.second_copy import SecondCopy
from ...model.host_folders import HostFolders, StraySave
from ...model.host_state import NotKnown, NotSeen
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
        _strays(look),
    )


def _strays(look: Look) -> tuple[StraySave, ...] | NotKnown:
    what = "whose managed saves there are"
    try:
        facts = look.facts
        for connection in facts.lost:
            return NotKnown(what, connection.reason)
        return tuple(stray for uri in facts.uris for stray in _strays_of(facts, uri))
    except NotSeen as error:
        return NotKnown(what, error.of.reason, error.of.refused)
    except OSError as error:
        return NotKnown(what, str(error), isinstance(error, PermissionError))


def _strays_of(facts: HostFacts, uri: str) -> tuple[StraySave, ...]:
    folder = save_folder(uri)
    names = {guest.name for guest in facts.guests if guest.id.uri == uri}
    return stray_saves.look(folder, names) if folder else ()
