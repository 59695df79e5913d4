"""The grammar of `shed` and `resume`."""

from __future__ import annotations

import argparse

from .grammar import (
    NAMES,
    Verbs,
    display_options,
    guests_argument,
    order_number,
    profile_option,
    reason_option,
    within_option,
)


def add_shed(verbs: Verbs) -> None:
    """Both verbs."""
    shed = verbs.add(
        "shed",
        "take guests to safety while the host stays up: those named, else those with the highest"
        " `order` of all that are up; `guestctl resume` brings just these back",
    )
    shed.add_argument(
        "--order",
        metavar="N",
        type=order_number,
        help="those with this `order` or a higher one: they come up last",
    )
    within_option(shed, "how long it may take in all, instead of [shutdown] deadline")
    profile_option(
        shed,
        "with the settings of [profile.NAME]; without guests and --order: those of which it says"
        " `shed = true`",
    )
    text = "show what would be done, and do nothing"
    shed.add_argument("--dry-run", action="store_true", help=text)
    reason_option(shed, "why; shown by `list`, and in the reason trail")
    guests_argument(shed, "*")
    display_options(shed)
    text = "bring back the guests that are shed still, or those of them named"
    resume = verbs.add("resume", text)
    reason_option(resume)
    guests_argument(resume, "*", NAMES)
    display_options(resume)


def check_shed(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exits with 2 where guests are meant twice."""
    if arguments.order is not None and arguments.guests:
        parser.error("--order goes with no guests: it says which are meant")
