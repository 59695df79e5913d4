"""The grammar of verbs around taking a host over."""

from __future__ import annotations

import argparse

from .arguments_import import add_import
from .grammar import Verbs, json_option

#: Verbs that go by the host's own configuration and connections.
OF_THE_HOST = ("import", "takeover", "handback")


def add_taking_over_verbs(verbs: Verbs) -> None:
    """Beside those that act on guests."""
    text = "show every reason why the next shutdown or boot would not go as configured"
    json_option(verbs.add("doctor", text))
    add_import(verbs)
    text = "put guestctl in charge of this host's guests in place of libvirt-guests"
    takeover = verbs.add("takeover", text)
    _dry_run(takeover)
    text = "go on whatever `doctor` finds, and with a configuration that has mistakes"
    takeover.add_argument("--force", action="store_true", help=text)
    text = "undo `takeover`: what was in charge of this host's guests before is again"
    _dry_run(verbs.add("handback", text))


def _dry_run(parser: argparse.ArgumentParser) -> None:
    text = "show what would be done, and touch nothing"
    parser.add_argument("--dry-run", action="store_true", help=text)
