"""Completion for fish."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .offers import (
    PRINTED_BY,
    PROFILE_LINE,
    Offer,
    operands,
    options,
    plain,
    takes_value,
    value_of,
    valued,
    verbs,
    verbs_help,
    whole,
    words,
)

_SCRIPT = """\
# Completion of guestctl for fish.  Made by tools/completions.py from the command line's grammar.

function __guestctl_ask
    command guestctl $argv 2>/dev/null </dev/null
end

function __guestctl_profiles
    __guestctl_ask %(profiles)s | sed -n 's/%(profile_line)s/\\2/p' | sort -u
end

# Whether the verb before the cursor is one of these; "" is none.
function __guestctl_at
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case %(valued)s
                set -e words[1]
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    contains -- "$words[1]" $argv
end

complete -c guestctl -f
%(lines)s
"""
_VALUES = {
    Offer.NOTHING: "-x",
    Offer.FILES: "-r -F",
    Offer.GUESTS: f"-x -a '(__guestctl_ask {PRINTED_BY[Offer.GUESTS]})'",
    Offer.HELD: f"-x -a '(__guestctl_ask {PRINTED_BY[Offer.HELD]})'",
    Offer.PROFILES: "-x -a '(__guestctl_profiles)'",
}


def fish() -> str:
    """The script."""
    return _SCRIPT % {
        "profiles": PRINTED_BY[Offer.PROFILES],
        "profile_line": PROFILE_LINE,
        "valued": " ".join(valued()),
        "lines": "\n".join((*_verbs(), *_operands(), *_options())),
    }


def _verbs() -> Iterator[str]:
    for name, text in verbs_help().items():
        yield f"complete -c guestctl {_at([''])} -a {name} -d {_quoted(text)}"


def _operands() -> Iterator[str]:
    for offer in (Offer.FILES, Offer.GUESTS, Offer.HELD):
        at = _at([name for name in verbs() if operands(name) is offer])
        yield f"complete -c guestctl {at} {_VALUES[offer].replace('-r ', '').replace('-x', '-f')}"


def _options() -> Iterator[str]:
    """Verbs that have the same option share a line."""
    places: dict[str, list[str]] = {}
    for verb, parser in ({"": whole()} | verbs()).items():
        for action in options(parser):
            places.setdefault(_option(action), []).append(verb)
    for option, at in places.items():
        yield f"complete -c guestctl {_at(at)} {option}"


def _option(action: argparse.Action) -> str:
    called = (f"-l {n[2:]}" if n[:2] == "--" else f"-s {n[1:]}" for n in action.option_strings)
    value = f" {_value(action)}" if takes_value(action) else ""
    return f"{' '.join(called)}{value} -d {_quoted(action.help or '')}"


def _value(action: argparse.Action) -> str:
    if known := words(action):
        listed = " ".join(f'"{word}"' for word in known)
        return f"-x -a '{listed}'"
    return _VALUES[value_of(action)]


def _at(places: list[str]) -> str:
    listed = " ".join(place or '""' for place in places)
    return f"-n '__guestctl_at {listed}'"


def _quoted(text: str) -> str:
    return "'" + plain(text).replace("\\", "\\\\").replace("'", "\\'") + "'"
