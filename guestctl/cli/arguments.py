"""The command line's grammar."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import __version__
from ..model.guest import State
from ..model.options import SaveDecision
from ..model.text import storable
from .arguments_shed import add_shed, check_shed
from .arguments_taking_over import OF_THE_HOST, add_taking_over_verbs
from .grammar import (
    NAMES,
    Grammar,
    Verbs,
    assignment,
    chosen_guests,
    common_options,
    count,
    display_options,
    guests_argument,
    json_option,
    number,
    profile_option,
    reason_option,
    within_option,
)

_EPILOG = """\
exit status: 0 all guests where they should be; 1 some guest is not;
2 wrong usage or configuration; 3 not permitted; 4 no hypervisor reached;
5 another run has the lock
"""


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments; exits with 2 and a usage message when they are wrong."""
    whole = _parser()
    arguments, unknown = whole.parse_known_args(argv)
    if arguments.verb is None:
        if unknown:
            whole.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parse([*argv, _ALONE])
    # The verb's own usage is shown, not that of all verbs.
    parser: argparse.ArgumentParser = arguments.parser
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.verb == "shutdown":
        _check_shutdown(parser, arguments)
    if arguments.verb == "start":
        _check_start(parser, arguments)
    if arguments.verb == "shed":
        check_shed(parser, arguments)
    if arguments.verb == "plan" and arguments.facts:
        _check_facts(parser, arguments)
    if arguments.verb in _OF_THE_SERVICE:
        _check_of_service(parser, arguments)
    if arguments.verb in OF_THE_HOST:
        _check_of_host(parser, arguments)
    if arguments.verb == "policy" and arguments.reason:
        _check_policy(parser, arguments)
    return arguments


def _check_policy(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if not (arguments.given or arguments.dropped):
        parser.error("--reason goes with --set and --unset")


def _check_start(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.decision and not arguments.guests:
        parser.error(f"--{arguments.decision} needs guests by name")
    if arguments.run and arguments.guests:
        parser.error("--run names the guests itself")


def _check_facts(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if "connect" in arguments or "config" in arguments:
        parser.error("--facts goes with neither --connect nor --config: both are in the file")


#: Verbs that nobody but the service can answer.
_OF_THE_SERVICE = ("attach", "cancel", "reload")


def _check_of_service(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if "connect" in arguments or "config" in arguments:
        verb = arguments.verb
        parser.error(f"{verb} goes with neither --connect nor --config: it asks the service")


def _check_of_host(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if "connect" in arguments or "config" in arguments:
        verb = arguments.verb
        parser.error(f"{verb} goes with neither --connect nor --config: it is about the host")


def _check_shutdown(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.all and (arguments.preserve or arguments.guests):
        parser.error("--all goes with neither --preserve nor guests")
    if not (arguments.all or arguments.preserve or arguments.guests):
        parser.error("name guests, or say --all, or --preserve")


def _parser() -> argparse.ArgumentParser:
    common = common_options()
    parser = Grammar(
        prog="guestctl",
        description="Take the guests of a libvirt host to safety, and bring them back."
        f"\nWithout a verb: {_ALONE}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"guestctl {__version__}")
    verbs = Verbs(parser, common)
    _add_shutdown(verbs)
    _add_start(verbs)
    add_shed(verbs)
    _add_run_verbs(verbs)
    _add_marking_verbs(verbs)
    _add_reading_verbs(verbs)
    add_taking_over_verbs(verbs)
    _add_daemon(verbs)
    return parser


#: What `guestctl` alone means.
_ALONE = "status"


def _add_daemon(verbs: Verbs) -> None:
    verbs.add("reload", "have the service read its configuration, and show what is different")
    verbs.add("daemon", "serve: what the unit guestctl.service runs")
    unit = verbs.add_hidden("unit", "what the units beside the service run")
    jobs = unit.add_subparsers(dest="job", metavar="UNIT", required=True)
    for name, text in _UNITS.items():
        job = jobs.add_parser(name, help=text, description=text, parents=[verbs.common])
        if name in ("guard", "fallback"):
            display_options(job)


#: By the name of the unit, guestctl-NAME.service; the last two are for guestctl.service itself.
_UNITS = {
    "guard": "As the host goes down: finish what the service began, or could not begin.",
    "fallback": "At boot: bring back what this boot owes, unless that was done.",
    "autostart": "Before libvirt starts: take over its autostart for this boot.",
    "probe": "When asked over its socket: whether a guest's port accepts connections.",
    "reload": "Before the configuration is read anew: refuse one with mistakes.",
    "doctor": "Once a day: look at what the service then tells of.",
}


def _add_shutdown(verbs: Verbs) -> None:
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
    within_option(
        shutdown,
        "how long it may take in all, instead of [shutdown] deadline: what a UPS has left;"
        " upsc:NAME@HOST asks it",
    )
    profile_option(shutdown, "with the settings of [profile.NAME] over those of [shutdown]")
    shutdown.add_argument(
        "--without-ledger",
        action="store_true",
        help="also where the ledger cannot be written: nobody will know to bring guests back",
    )
    reason_option(shutdown)
    guests_argument(shutdown, "*")
    display_options(shutdown)


def _add_start(verbs: Verbs) -> None:
    start = verbs.add("start", "start or resume the guests that are wanted on, or those named")
    start.add_argument(
        "--run",
        metavar="N",
        type=number,
        help="just the guests that this run took down: what `shutdown --all` is undone with",
    )
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
    reason_option(start)
    guests_argument(start, "*", NAMES)
    display_options(start)


def _add_run_verbs(verbs: Verbs) -> None:
    text = "show the service's run that goes on, with all that it did so far, until it ends"
    display_options(verbs.add("attach", text))
    text = "end the service's run that goes on: no further step is begun, a save is aborted"
    cancel = verbs.add("cancel", text)
    cancel.add_argument(
        "--mine",
        action="store_true",
        help="only one that the same user began, at the same terminal or in the same unit",
    )
    display_options(cancel)


def _add_marking_verbs(verbs: Verbs) -> None:
    hold = verbs.add("hold", "never have guests started by guestctl until they are released")
    reason_option(hold, "why; shown by `list`")
    guests_argument(hold, "+", NAMES)
    release = verbs.add("release", "end a hold; the guest is wanted on from then on")
    reason_option(release)
    guests_argument(release, "+", NAMES)
    forget = verbs.add("forget", "want nothing any more of a guest that libvirt does not list")
    reason_option(forget)
    guests_argument(forget, "+")


def _add_reading_verbs(verbs: Verbs) -> None:
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
        "-o",
        dest="output",
        metavar="FORMAT",
        choices=["wide", "name"],
        help="wide: all that is known; name: names alone, a line each",
    )
    chosen_guests(listing)
    json_option(listing)
    status = verbs.add("status", "show what is wrong, the service and its triggers, or guests")
    chosen_guests(status)
    json_option(status)
    _add_planning_verbs(verbs)
    why = verbs.add("why", "show how things stand with a guest, and how that came about")
    why.add_argument("guest", metavar="GUEST", type=storable, help="name or UUID")
    json_option(why)
    json_option(
        verbs.add("watch", "follow what happens to guests, and who stopped them, until Ctrl-C")
    )
    history = verbs.add("history", "show past runs")
    chosen_guests(history)
    history.add_argument("-n", dest="count", metavar="N", type=count, default=10, help="how many")
    json_option(history)
    _add_policy(verbs)
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
    json_option(check)


def _add_policy(verbs: Verbs) -> None:
    text = "show the settings of a guest, and where each comes from; or change its own"
    policy = verbs.add("policy", text)
    policy.add_argument("guest", metavar="GUEST", type=storable, help="name or UUID")
    policy.add_argument(
        "--set",
        dest="given",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        type=assignment,
        default=[],
        help="have this in the guest's own XML, named as in a [[guest]]: save=none after=db-1,dns,"
        " profile.reboot.save=all",
    )
    policy.add_argument(
        "--unset",
        dest="dropped",
        metavar="KEY",
        nargs="+",
        action="extend",
        type=storable,
        default=[],
        help='take this out of it; "all" for all of guestctl\'s that is there',
    )
    reason_option(policy)
    json_option(policy)


def _add_planning_verbs(verbs: Verbs) -> None:
    plan = verbs.add("plan", "show what `shutdown --preserve` would do now; touches nothing")
    chosen_guests(plan)
    plan.add_argument("--boot", action="store_true", help="what the next boot would do instead")
    within_option(plan, "as if a preserve were told so: what it then has no time for")
    profile_option(plan, "as a preserve with this profile would do; as the host's reboot, for one")
    plan.add_argument(
        "--facts",
        metavar="FILE",
        type=Path,
        help="from what `guestctl facts` recorded, on whatever host; nothing else is looked at",
    )
    json_option(plan)
    facts = verbs.add("facts", "record all that plans go by, as TOML: for reports of bugs")
    facts.add_argument(
        "--mask",
        action="store_true",
        help="with other names, UUIDs, paths and addresses, for eyes of others",
    )
