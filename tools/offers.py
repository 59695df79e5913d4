"""What the command line's grammar takes at each place, for completion in whatever shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from enum import Enum, auto

from guestctl.cli.arguments import _parser
from guestctl.config.settings import GUEST_SETTINGS

_URIS = ("qemu:///system", "qemu:///session", "lxc:///system")
_HIDDEN = "unit"
#: What a guest's own settings are called; to be set, and to be taken away.
_KEYS = [row.guest_key for row in GUEST_SETTINGS]
#: By the name that --help has for the value.
_WORDS = {"URI": _URIS, "KEY=VALUE": [f"{key}=" for key in _KEYS], "KEY": [*_KEYS, "all"]}


class Offer(Enum):
    """What can stand somewhere, but for words that the grammar has."""

    NOTHING = auto()
    FILES = auto()
    GUESTS = auto()
    HELD = auto()
    PROFILES = auto()


#: The command that prints it, a line each.  A wrong configuration has no profiles.
PRINTED_BY = {
    Offer.GUESTS: "list -o name",
    Offer.HELD: "list --held -o name",
    Offer.PROFILES: "check --show",
}
#: What finds profiles in the last one; [profile.NAME] or [guest.profile.NAME].
PROFILE_LINE = r"^\[\(guest\.\)\{0,1\}profile\.\([A-Za-z0-9_-]*\)\].*"


def whole() -> argparse.ArgumentParser:
    """What stands before the verb."""
    return _parser()


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Those of --help."""
    return {name: parser for name, parser in _verbs().choices.items() if name != _HIDDEN}


def verbs_help() -> dict[str, str]:
    """What --help says of each."""
    texts = {action.dest: action.help or "" for action in _verbs()._choices_actions}
    return {name: plain(texts[name]) for name in verbs()}


def _verbs() -> argparse._SubParsersAction[argparse.ArgumentParser]:
    (found,) = (a for a in whole()._actions if isinstance(a, argparse._SubParsersAction))
    return found


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those with a dash."""
    return (action for action in parser._actions if action.option_strings)


def names(parser: argparse.ArgumentParser) -> list[str]:
    """Of its options, short and long."""
    return [name for action in options(parser) for name in action.option_strings]


def valued() -> list[str]:
    """The options, of whatever verb, that take a value."""
    every = (action for parser in verbs().values() for action in options(parser))
    return sorted({name for it in every if takes_value(it) for name in it.option_strings})


def takes_value(action: argparse.Action) -> bool:
    """Whether a word follows it."""
    return action.nargs != 0


def metavar(action: argparse.Action) -> str:
    """What --help calls its value."""
    return action.metavar if isinstance(action.metavar, str) else ""


def words(action: argparse.Action) -> list[str]:
    """What can follow an option where the grammar knows that."""
    return [str(word) for word in action.choices or _WORDS.get(metavar(action), ())]


def value_of(action: argparse.Action) -> Offer:
    """What can follow an option else."""
    if action.dest == "profile":
        return Offer.PROFILES
    return {"FILE": Offer.FILES, "GUEST": Offer.GUESTS}.get(metavar(action), Offer.NOTHING)


def operands(verb: str) -> Offer:
    """What a verb takes beside options."""
    parser = verbs()[verb]
    called = {action.metavar for action in parser._actions if not action.option_strings}
    if "GUEST" in called:
        return Offer.HELD if verb == "release" else Offer.GUESTS
    return Offer.FILES if "FILE" in called else Offer.NOTHING


def plain(text: str) -> str:
    """argparse's help as it is shown."""
    return text.replace("%%", "%")
