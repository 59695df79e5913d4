"""Completion for bash."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .offers import (
    PRINTED_BY,
    PROFILE_LINE,
    Offer,
    names,
    operands,
    options,
    takes_value,
    value_of,
    valued,
    verbs,
    whole,
    words,
)

_SCRIPT = """\
# Completion of guestctl for bash.  Made by tools/completions.py from the command line's grammar.

_guestctl_ask() {
    command guestctl "$@" 2>/dev/null </dev/null
}

_guestctl_profiles() {
    _guestctl_ask %(profiles)s | sed -n 's/%(profile_line)s/\\2/p' | sort -u
}

# Offer lines, whatever is in them: a guest's name can have blanks.
_guestctl_offer() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ -n $line && $line == "$cur"* ]] && COMPREPLY+=("$(printf %%q "$line")")
    done
}

_guestctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= word i
    COMPREPLY=()
    # "qemu:///system" is three words to readline, which takes colons for breaks.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            %(valued)s) ((i++)) ;;
            -* | : | //*) ;;
            *) verb=$word && break ;;
        esac
    done
    case $prev in
%(values)s
    esac
    case $verb in
        "") _guestctl_offer <<<"$(printf '%%s\\n' %(verbs)s %(common)s)" ;;
%(by_verb)s
    esac
} && complete -F _guestctl guestctl
"""
_ASKED = {
    Offer.GUESTS: f"_guestctl_ask {PRINTED_BY[Offer.GUESTS]}",
    Offer.HELD: f"_guestctl_ask {PRINTED_BY[Offer.HELD]}",
    Offer.PROFILES: "_guestctl_profiles",
}


def bash() -> str:
    """The script."""
    return _SCRIPT % {
        "profiles": PRINTED_BY[Offer.PROFILES],
        "profile_line": PROFILE_LINE,
        "valued": " | ".join(valued()),
        "values": "\n".join(_values()),
        "verbs": " ".join(verbs()),
        "common": " ".join(names(whole())),
        "by_verb": "\n".join(_verb(name, parser) for name, parser in verbs().items()),
    }


def _values() -> Iterator[str]:
    """What follows an option that takes a value; nothing is offered where anything may."""
    every = [action for parser in verbs().values() for action in options(parser)]
    said = {
        name: _value(action)
        for action in every
        if takes_value(action)
        for name in action.option_strings
    }
    for does in dict.fromkeys(said.values()):
        called = " | ".join(sorted(name for name in said if said[name] == does))
        yield f"        {called}) {does} ;;"


def _value(action: argparse.Action) -> str:
    offer = value_of(action)
    if known := words(action):
        nospace = "compopt -o nospace; " if known[0].endswith("=") else ""
        quoted = " ".join(f'"{word}"' for word in known)
        return f"{nospace}_guestctl_offer <<<\"$(printf '%s\\n' {quoted})\"; return"
    if offer is Offer.FILES:
        return "compopt -o default; return"
    return f'_guestctl_offer <<<"$({_ASKED[offer]})"; return' if offer in _ASKED else "return"


def _verb(name: str, parser: argparse.ArgumentParser) -> str:
    offer = operands(name)
    offered = f"printf '%s\\n' {' '.join(names(parser))}"
    if offer in _ASKED:
        offered = f"if [[ $cur == -* ]]; then {offered}; else {_ASKED[offer]}; fi"
    files = " && compopt -o default" if offer is Offer.FILES else ""
    return f'        {name}) _guestctl_offer <<<"$({offered})"{files} ;;'
