"""What all verbs of the command line share: options, kinds of values, what mistakes are told."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..model.near import nearest
from ..model.text import storable
from ..model.units import BadValue, parse_duration
from ..model.ups import Ups, parse_ups

#: What the same is called elsewhere.
_ELSEWHERE = {
    "stop": "shutdown",
    "down": "shutdown",
    "poweroff": "shutdown",
    "destroy": "shutdown",
    "halt": "shutdown",
    "save": "shutdown --preserve",
    "managedsave": "shutdown --preserve",
    "suspend": "shutdown --preserve",
    "preserve": "shutdown --preserve",
    "restore": "start",
    "up": "start",
    "boot": "plan --boot",
    "ls": "list",
    "show": "list",
    "info": "status",
    "log": "history",
    "logs": "history",
    "explain": "why",
    "unhold": "release",
    "validate": "check",
}


class Grammar(argparse.ArgumentParser):
    """Says of a verb that there is not which one may have been meant."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.dest != "verb" or action.choices is None or value in action.choices:
            super()._check_value(action, value)
            return
        shown = [name for name in action.choices if name != "unit"]
        near = nearest(str(value), shown)
        meant = _ELSEWHERE.get(str(value)) or (near[0] if near else "")
        hint = f'did you mean "{meant}"?' if meant else f"there are: {', '.join(shown)}"
        raise argparse.ArgumentError(None, f'there is no verb "{value}"; {hint}')


def common_options() -> argparse.ArgumentParser:
    """Those that stand before or after the verb."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-c",
        "--connect",
        metavar="URI",
        type=uri,
        default=argparse.SUPPRESS,
        help="this libvirt connection, instead of the configured ones",
    )
    common.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=argparse.SUPPRESS,
        help="this configuration file alone, instead of those in /etc/guestctl",
    )
    common.add_argument(
        "--strict",
        action="store_true",
        default=argparse.SUPPRESS,
        help="refuse a configuration with mistakes, instead of using the last good one",
    )
    return common


class Verbs:
    """Adds verbs that all take the common options."""

    def __init__(self, parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
        self.common = common
        self._verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB")

    def add(self, name: str, text: str) -> argparse.ArgumentParser:
        """One of --help."""
        parser = self._verbs.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            parents=[self.common],
            allow_abbrev=False,
        )
        parser.set_defaults(parser=parser)
        return parser

    def add_hidden(self, name: str, text: str) -> argparse.ArgumentParser:
        """One that only units use: not among the verbs of --help."""
        parser = self._verbs.add_parser(name, description=text, allow_abbrev=False)
        parser.set_defaults(parser=parser)
        return parser


def count(text: str) -> int:
    """How many, from 1 on."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("expected a whole number from 1 to 1000")
    return int(text)


def number(text: str) -> int:
    """A run's."""
    if not text.isdecimal() or not 1 <= int(text) < 2**63:
        raise argparse.ArgumentTypeError("expected the number of a run, as `history` has it")
    return int(text)


def order_number(text: str) -> int:
    """A guest's `order`."""
    if not text.isdecimal() or not 0 <= int(text) <= 999_999:
        raise argparse.ArgumentTypeError("expected a number as in `order`, from 0 to 999999")
    return int(text)


def assignment(text: str) -> tuple[str, str]:
    """A key and its value."""
    key, equals, value = storable(text).partition("=")
    if not (key.strip() and equals):
        wanted = 'expected KEY=VALUE such as "save=none" (the guest stands before --set)'
        raise argparse.ArgumentTypeError(f'{wanted}, not "{text}"')
    return key.strip(), value


def uri(text: str) -> str:
    """libvirt's."""
    if not text:
        raise argparse.ArgumentTypeError('expected a libvirt URI such as "qemu:///system"')
    return text


def duration(text: str) -> float:
    """In seconds, more than none."""
    try:
        seconds = parse_duration(text)
    except BadValue as error:
        detail = f" ({error})" if str(error) else ""
        wanted = 'expected a duration such as "90s" or "5min"'
        raise argparse.ArgumentTypeError(f'{wanted}, not "{text}"{detail}') from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError("expected a duration of more than 0s: nothing fits in it")
    return seconds


#: Before the name of a UPS.
_UPSC = "upsc:"


def within(text: str) -> float | Ups:
    """A duration, or a UPS whose battery tells."""
    if not text.startswith(_UPSC):
        return duration(text)
    try:
        return parse_ups(text.removeprefix(_UPSC))
    except BadValue as error:
        wanted = f'expected "{_UPSC}NAME@HOST"'
        raise argparse.ArgumentTypeError(f'{wanted}, not "{text}" ({error})') from error


def within_option(parser: argparse.ArgumentParser, text: str) -> None:
    """--within."""
    parser.add_argument("--within", metavar="DURATION", type=within, help=text)


def guests_argument(
    parser: argparse.ArgumentParser, count: str, names: str = "name or UUID"
) -> None:
    """Which guests are meant."""
    parser.add_argument("guests", metavar="GUEST", nargs=count, type=storable, help=names)


def chosen_guests(parser: argparse.ArgumentParser) -> None:
    """Which guests are shown."""
    parser.add_argument("guests", metavar="GUEST", nargs="*", type=storable, help=NAMES)


NAMES = 'name, UUID or pattern such as "db-*"'


def reason_option(parser: argparse.ArgumentParser, text: str = "why, for the reason trail") -> None:
    """--reason."""
    parser.add_argument("--reason", metavar="TEXT", type=storable, help=text)


def profile_option(parser: argparse.ArgumentParser, text: str) -> None:
    """--profile."""
    parser.add_argument("--profile", metavar="NAME", type=storable, help=text)


def display_options(parser: argparse.ArgumentParser) -> None:
    """How a run is shown."""
    parser.add_argument("-q", "--quiet", action="store_true", help="only show what goes wrong")
    json_option(parser)


def json_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
