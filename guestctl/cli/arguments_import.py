"""The grammar of `import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .grammar import Verbs, json_option


def add_import(verbs: Verbs) -> None:
    """The verb and its options."""
    text = (
        "write what libvirt-guests and libvirt's auto-shutdown are set to as settings of guestctl"
    )
    parser = verbs.add("import", text)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the file instead of writing it"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the file of an earlier import"
    )
    parser.add_argument(
        "--libvirt-guests",
        metavar="FILE",
        type=Path,
        help="from this file, whether libvirt-guests is on or not, instead of what counts here",
    )
    parser.add_argument(
        "--qemu-conf",
        metavar="FILE",
        type=Path,
        help="from this file instead of what counts here",
    )
    _add_dumps(parser)
    json_option(parser)


def _add_dumps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--proxmox",
        metavar="FILE",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="a [[guest]] for each guest of Proxmox VE: 100.conf, or a dump of several",
    )
    parser.add_argument(
        "--incus",
        metavar="FILE",
        type=Path,
        help="a [[guest]] for each instance in what `incus list -f json` printed",
    )
