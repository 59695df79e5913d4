"""The command line's grammar."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import __version__
from ..model.guest import State
from ..model.options import SaveDecision
from ..model.units import BadValue, parse_duration

_EPILOG = """\
exit status: 0 all guests where they should be; 1 some guest is not; 2 wrong usage or
configuration; 3 not permitted; 4 no hypervisor reached; 5 another run has the lock
"""


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments; exits with 2 and a usage message when they are wrong."""
    arguments, unknown = _parser().parse_known_args(argv)
    # The verb's own usage is shown, not that of all verbs.
    parser: argparse.ArgumentParser = arguments.parser
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.verb == "shutdown":
        _check_shutdown(parser, arguments)
    if arguments.verb == "start" and arguments.decision and not arguments.guests:
        parser.error(f"--{arguments.decision} needs guests by name")
    if arguments.verb == "plan" and arguments.facts:
        _check_facts(parser, arguments)
    return arguments


def _check_facts(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if "connect" in arguments or "config" in arguments:
        parser.error("--facts goes with neither --connect nor --config: both are in the file")


def _check_shutdown(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.all and (arguments.preserve or arguments.guests):
        parser.error("--all goes with neither --preserve nor guests")
    if not (arguments.all or arguments.preserve or arguments.guests):
        parser.error("name guests, or say --all, or --preserve")


def _parser() -> argparse.ArgumentParser:
    common = _common_options()
    parser = argparse.ArgumentParser(
        prog="guestctl",
        description="Take the guests of a libvirt host to safety, and bring them back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"guestctl {__version__}")
    verbs = _Verbs(parser, common)
    _add_shutdown(verbs)
    _add_start(verbs)
    _add_marking_verbs(verbs)
    _add_reading_verbs(verbs)
    _add_daemon(verbs)
    return parser


def _add_daemon(verbs: _Verbs) -> None:
    verbs.add("daemon", "serve: what the unit guestctl.service runs")
    unit = verbs.add_hidden("unit", "what the units beside the service run")
    jobs = unit.add_subparsers(dest="job", metavar="UNIT", required=True)
    for name, text in _UNITS.items():
        job = jobs.add_parser(name, help=text, description=text, parents=[verbs.common])
        if name in ("guard", "fallback"):
            _display_options(job)


#: By the name of the unit, guestctl-NAME.service; the last one is for guestctl.service itself.
_UNITS = {
    "guard": "As the host goes down: finish what the service began, or could not begin.",
    "fallback": "At boot: bring back what this boot owes, unless that was done.",
    "autostart": "Before libvirt starts: take over its autostart for this boot.",
    "reload": "Before the configuration is read anew: refuse one with mistakes.",
}


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-c",
        "--connect",
        metavar="URI",
        type=_uri,
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


class _Verbs:
    """Adds verbs that all take the common options."""

    def __init__(self, parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
        self.common = common
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def add(self, name: str, text: str) -> argparse.ArgumentParser:
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


def _add_shutdown(verbs: _Verbs) -> None:
    shutdown = verbs.add("shutdown", "take guests down: to safety, or because they are to be off")
    shutdown.add_argument(
        "--preserve",
        action="store_true",
        help="take all running guests (or those named) to safety: managed save, else shutdown,"
        " else poweroff, as policy allows; `guestctl start` brings them back",
    )
    shutdown.add_argument(
        "--all", action="store_true", help="shut every guest down; they are not brought back"
    )
    shutdown.add_argument(
        "--within",
        metavar="DURATION",
        type=_duration,
        help="how long it may take in all, instead of [shutdown] deadline: what a UPS has left",
    )
    _reason(shutdown)
    _guests(shutdown, "*")
    _display_options(shutdown)


def _add_start(verbs: _Verbs) -> None:
    start = verbs.add("start", "start or resume the guests that are wanted on, or those named")
    decision = start.add_mutually_exclusive_group()
    decision.add_argument(
        "--resume-anyway",
        dest="decision",
        action="store_const",
        const=SaveDecision.RESUME_ANYWAY,
        help="resume from a stale save; what the guest remembers goes over what its disks hold now",
    )
    decision.add_argument(
        "--discard-save",
        dest="decision",
        action="store_const",
        const=SaveDecision.DISCARD_SAVE,
        help="remove the save and boot; what only the guest's memory held is lost",
    )
    _reason(start)
    _guests(start, "*", _NAMES)
    _display_options(start)


def _add_marking_verbs(verbs: _Verbs) -> None:
    hold = verbs.add("hold", "never have guests started by guestctl until they are released")
    _reason(hold, "why; shown by `list`")
    _guests(hold, "+", _NAMES)
    release = verbs.add("release", "end a hold; the guest is wanted on from then on")
    _reason(release)
    _guests(release, "+", _NAMES)
    forget = verbs.add("forget", "want nothing any more of a guest that libvirt does not list")
    _reason(forget)
    _guests(forget, "+")


def _add_reading_verbs(verbs: _Verbs) -> None:
    listing = verbs.add(
        "list", "show every guest, what is wanted of it, and what the next boot does"
    )
    listing.add_argument(
        "--problems",
        action="store_true",
        help="only guests with which something is wrong: what, and the command to type",
    )
    listing.add_argument("--held", action="store_true", help="only guests that are held")
    listing.add_argument(
        "--state",
        dest="states",
        metavar="STATE",
        action="append",
        choices=[str(state) for state in State],
        default=[],
        help='only guests in this state, such as "running" or "shut off"',
    )
    listing.add_argument(
        "-o", dest="output", metavar="FORMAT", choices=["wide"], help="wide: all that is known"
    )
    _chosen(listing)
    _json(listing)
    status = verbs.add("status", "show what is wrong, the service and its triggers, or guests")
    _chosen(status)
    _json(status)
    _add_planning_verbs(verbs)
    why = verbs.add("why", "show a guest's reason trail")
    why.add_argument("guest", metavar="GUEST", help="name or UUID")
    _json(why)
    _json(verbs.add("watch", "follow what happens to guests, and who stopped them, until Ctrl-C"))
    history = verbs.add("history", "show past runs")
    _chosen(history)
    history.add_argument("-n", dest="count", metavar="N", type=_count, default=10, help="how many")
    _json(history)
    check = verbs.add("check", "check the configuration")
    check.add_argument("file", metavar="FILE", nargs="?", type=Path, help="this file alone")
    check.add_argument(
        "--show",
        action="store_true",
        help="print every value in effect, and the file and line that set it, as TOML",
    )
    check.add_argument(
        "--guest",
        metavar="GUEST",
        help="print the values in effect for this guest, its [[guest]] tables applied",
    )
    _json(check)


def _add_planning_verbs(verbs: _Verbs) -> None:
    plan = verbs.add("plan", "show what `shutdown --preserve` would do now; touches nothing")
    _chosen(plan)
    plan.add_argument("--boot", action="store_true", help="what the next boot would do instead")
    plan.add_argument(
        "--facts",
        metavar="FILE",
        type=Path,
        help="from what `guestctl facts` recorded, on whatever host; nothing else is looked at",
    )
    _json(plan)
    facts = verbs.add("facts", "record all that plans go by, as TOML: for reports of bugs")
    facts.add_argument(
        "--mask",
        action="store_true",
        help="with other names, UUIDs, paths and addresses, for eyes of others",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("expected a whole number from 1 to 1000")
    return int(text)


def _uri(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError('expected a libvirt URI such as "qemu:///system"')
    return text


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except BadValue as error:
        detail = f" ({error})" if str(error) else ""
        wanted = 'expected a duration such as "90s" or "5min"'
        raise argparse.ArgumentTypeError(f'{wanted}, not "{text}"{detail}') from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError("expected a duration of more than 0s: nothing fits in it")
    return seconds


def _guests(parser: argparse.ArgumentParser, count: str, names: str = "name or UUID") -> None:
    parser.add_argument("guests", metavar="GUEST", nargs=count, help=names)


def _chosen(parser: argparse.ArgumentParser) -> None:
    """Which guests are shown."""
    parser.add_argument("guests", metavar="GUEST", nargs="*", help=_NAMES)


_NAMES = 'name, UUID or pattern such as "db-*"'


def _reason(parser: argparse.ArgumentParser, text: str = "why, for the reason trail") -> None:
    parser.add_argument("--reason", metavar="TEXT", help=text)


def _display_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="only show what goes wrong")
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
