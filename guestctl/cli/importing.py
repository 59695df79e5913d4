"""The verb `import`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..control.import_sources import Sources
from ..control.importing import Prepared, prepare, write
from .exits import Exit, complain, printable
from .text import emit, print_json


def import_verb(arguments: Namespace) -> int:
    """`import`: what other programs' settings are here, in a file of the configuration."""
    prepared = prepare(_sources(arguments))
    is_written = _is_to_be_written(prepared, arguments)
    if is_written:
        write(prepared, force=arguments.force)
    if arguments.json:
        print_json(_as_json(prepared, is_written=is_written))
    elif arguments.dry_run:
        _say(prepared)
        emit(prepared.drop_in.text)
    else:
        _say(prepared)
        _tell(prepared)
    return Exit.OK


def _sources(arguments: Namespace) -> Sources:
    return Sources(
        arguments.libvirt_guests, arguments.qemu_conf, tuple(arguments.proxmox), arguments.incus
    )


def _is_to_be_written(prepared: Prepared, arguments: Namespace) -> bool:
    return prepared.drop_in.changes_something and not (prepared.is_written or arguments.dry_run)


def _say(prepared: Prepared) -> None:
    for text in prepared.left_out:
        complain(text)


def _tell(prepared: Prepared) -> None:
    made = prepared.drop_in
    for remark in made.remarks:
        emit(f"- {printable(remark)}\n")
    if not made.changes_something:
        emit("nothing is to be written: guestctl goes by the same without it\n")
        return
    count = sum(not entry.is_standing for entry in made.entries)
    emit(f"{prepared.target}: {count} settings, each with where it is from\n")


def _as_json(prepared: Prepared, *, is_written: bool) -> dict[str, Any]:
    made = prepared.drop_in
    return {
        "file": str(prepared.target),
        "written": is_written,
        "text": made.text,
        "settings": [
            {
                "section": entry.section,
                "match": entry.guest or None,
                "key": entry.key,
                "value": entry.plain,
                "origins": list(entry.origins),
                "standing": entry.is_standing,
            }
            for entry in made.entries
        ],
        "remarks": list(made.remarks),
        "left_out": list(prepared.left_out),
    }
