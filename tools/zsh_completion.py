"""Completion for zsh."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .offers import (
    PRINTED_BY,
    PROFILE_LINE,
    Offer,
    metavar,
    operands,
    options,
    plain,
    takes_value,
    value_of,
    verbs,
    verbs_help,
    whole,
    words,
)

_SCRIPT = """\
#compdef guestctl
# Completion of guestctl for zsh.  Made by tools/completions.py from the command line's grammar.

# Offer lines, as the arguments say.
_guestctl_lines() {
    local -a found
    found=(${(f)"$(cat)"})
    compadd "$@" -a found
}

_guestctl_guests() {
    command guestctl %(guests)s 2>/dev/null </dev/null | _guestctl_lines "$@"
}

_guestctl_held() {
    command guestctl %(held)s 2>/dev/null </dev/null | _guestctl_lines "$@"
}

_guestctl_profiles() {
    command guestctl %(profiles)s 2>/dev/null </dev/null |
        sed -n 's/%(profile_line)s/\\2/p' | sort -u | _guestctl_lines "$@"
}

_guestctl() {
    local curcontext="$curcontext" state line
    local -a verbs
    verbs=(
%(verbs)s
    )
    _arguments -C \\
%(common)s
        '1: :->verb' '*:: :->rest'
    case $state in
        verb) _describe -t commands verb verbs ;;
        rest)
            case $words[1] in
%(by_verb)s
            esac ;;
    esac
}

_guestctl "$@"
"""
_ACTIONS = {
    Offer.NOTHING: " ",
    Offer.FILES: "_files",
    Offer.GUESTS: "_guestctl_guests",
    Offer.HELD: "_guestctl_held",
    Offer.PROFILES: "_guestctl_profiles",
}


def zsh() -> str:
    """The script."""
    texts = verbs_help()
    return _SCRIPT % {
        "guests": PRINTED_BY[Offer.GUESTS],
        "held": PRINTED_BY[Offer.HELD],
        "profiles": PRINTED_BY[Offer.PROFILES],
        "profile_line": PROFILE_LINE,
        "verbs": "\n".join(f"        '{name}:{_text(texts[name])}'" for name in verbs()),
        "common": "\n".join(f"        {spec} \\" for spec in _options(whole())),
        "by_verb": "\n".join(_verb(name, parser) for name, parser in verbs().items()),
    }


def _text(text: str) -> str:
    """Within single quotes, and without what _arguments takes for its own."""
    replaced = {"'": "’", "[": "(", "]": ")", ":": "\\:", "`": ""}
    return "".join(replaced.get(letter, letter) for letter in plain(text))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in options(parser):
        called = action.option_strings
        exclusive = f"({' '.join(called)})" if len(called) > 1 else ""
        spelled = f"'{{{','.join(called)}}}'" if len(called) > 1 else called[0]
        yield f"'{exclusive}{spelled}[{_text(action.help or '')}]{_value(action)}'"


def _value(action: argparse.Action) -> str:
    if not takes_value(action):
        return ""
    called, known = metavar(action).lower() or action.dest, words(action)
    if known and known[0].endswith("="):
        return f':{_text(called)}:{{compadd -S "" -- {" ".join(known)}}}'
    if known:
        return f":{called}:({' '.join(_word(word) for word in known)})"
    return f":{called}:{_ACTIONS[value_of(action)]}"


def _word(word: str) -> str:
    return word.replace(" ", "\\ ").replace(":", "\\:")


def _verb(name: str, parser: argparse.ArgumentParser) -> str:
    specs, offer = list(_options(parser)), operands(name)
    if offer is Offer.FILES:
        specs.append("'1:file:_files'")
    elif offer is not Offer.NOTHING:
        specs.append(f"'*:guest:{_ACTIONS[offer]}'")
    lines = " \\\n".join(f"                    {spec}" for spec in specs)
    return f"                {name}) _arguments \\\n{lines} ;;"
