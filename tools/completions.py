"""Completion for bash and zsh, made from the command line's grammar.

`make sample` writes completions/; a test holds the files to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from guestctl.cli.arguments import _parser
from guestctl.config.settings import GUEST_SETTINGS

FOLDER = Path(__file__).parents[1] / "completions"
#: What guests are called in the grammar, and what files are.
_GUESTS, _FILES = ("guests", "guest"), ("FILE",)
_URIS = ("qemu:///system", "qemu:///session", "lxc:///system")
_HIDDEN = "unit"
#: What a guest's own settings are called; to be set, and to be taken away.
_KEYS = [row.guest_key for row in GUEST_SETTINGS]
_SETTINGS = {"KEY=VALUE": [f"{key}=" for key in _KEYS], "KEY": [*_KEYS, "all"]}

_BASH = """\
# Completion of guestctl for bash.  Made by tools/completions.py from the command line's grammar.

_guestctl_guests() {
    command guestctl list -o name 2>/dev/null </dev/null
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

_ZSH = """\
#compdef guestctl
# Completion of guestctl for zsh.  Made by tools/completions.py from the command line's grammar.

_guestctl_guests() {
    local -a guests
    guests=(${(f)"$(command guestctl list -o name 2>/dev/null </dev/null)"})
    compadd -a guests
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


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Those of --help."""
    (found,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {name: parser for name, parser in found.choices.items() if name != _HIDDEN}


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.option_strings)


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _metavar(action: argparse.Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else ""


def _takes_guests(parser: argparse.ArgumentParser) -> bool:
    positional = (action for action in parser._actions if not action.option_strings)
    return any(action.dest in _GUESTS for action in positional)


# bash


def bash() -> str:
    """The script for bash."""
    every = [action for parser in verbs().values() for action in _options(parser)]
    valued = {name for action in every if _takes_value(action) for name in action.option_strings}
    return _BASH % {
        "valued": " | ".join(sorted(valued)),
        "values": "\n".join(_bash_values(every)),
        "verbs": " ".join(verbs()),
        "common": " ".join(_names(_parser())),
        "by_verb": "\n".join(_bash_verb(name, parser) for name, parser in verbs().items()),
    }


def _names(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in _options(parser) for name in action.option_strings]


def _bash_values(every: list[argparse.Action]) -> Iterator[str]:
    """What follows an option that takes a value; nothing is offered where anything may."""
    said: dict[str, str] = {}
    for action in filter(_takes_value, every):
        for name in action.option_strings:
            said[name] = _bash_value(action)
    for does in dict.fromkeys(said.values()):
        names = " | ".join(sorted(name for name in said if said[name] == does))
        yield f"        {names}) {does} ;;"


def _bash_value(action: argparse.Action) -> str:
    if action.choices:
        words = " ".join(f'"{choice}"' for choice in action.choices)
        return f"_guestctl_offer <<<\"$(printf '%s\\n' {words})\"; return"
    if _metavar(action) in _FILES:
        return "compopt -o default; return"
    if _metavar(action) == "GUEST":
        return '_guestctl_offer <<<"$(_guestctl_guests)"; return'
    if _metavar(action) in _SETTINGS:
        offered = " ".join(_SETTINGS[_metavar(action)])
        nospace = "compopt -o nospace; " if "=" in offered else ""
        return f"{nospace}_guestctl_offer <<<\"$(printf '%s\\n' {offered})\"; return"
    if _metavar(action) == "URI":
        return f"_guestctl_offer <<<\"$(printf '%s\\n' {' '.join(_URIS)})\"; return"
    return "return"


def _bash_verb(name: str, parser: argparse.ArgumentParser) -> str:
    options = " ".join(_names(parser))
    offered = f"printf '%s\\n' {options}"
    if _takes_guests(parser):
        offered = f"if [[ $cur == -* ]]; then {offered}; else _guestctl_guests; fi"
    files = " && compopt -o default" if name == "check" else ""
    return f'        {name}) _guestctl_offer <<<"$({offered})"{files} ;;'


# zsh


def zsh() -> str:
    """The script for zsh."""
    (found,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    texts = {action.dest: action.help or "" for action in found._choices_actions}
    return _ZSH % {
        "verbs": "\n".join(f"        '{name}:{_zsh_text(texts[name])}'" for name in verbs()),
        "common": "\n".join(f"        {spec} \\" for spec in _zsh_options(_parser())),
        "by_verb": "\n".join(_zsh_verb(name, parser) for name, parser in verbs().items()),
    }


def _zsh_text(text: str) -> str:
    """Within single quotes, and without what _arguments takes for its own."""
    plain = text.replace("%%", "%")
    return "".join({"'": "’", "[": "(", "]": ")", ":": "\\:", "`": ""}.get(c, c) for c in plain)


def _zsh_options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in _options(parser):
        names = action.option_strings
        exclusive = f"({' '.join(names)})" if len(names) > 1 else ""
        called = f"'{{{','.join(names)}}}'" if len(names) > 1 else names[0]
        text = _zsh_text(action.help or "")
        yield f"'{exclusive}{called}[{text}]{_zsh_value(action)}'"


def _zsh_value(action: argparse.Action) -> str:
    if not _takes_value(action):
        return ""
    if action.choices:
        words = " ".join(str(choice).replace(" ", "\\ ") for choice in action.choices)
        return f":{action.dest}:({words})"
    if _metavar(action) in _FILES:
        return ":file:_files"
    if _metavar(action) == "GUEST":
        return ":guest:_guestctl_guests"
    if _metavar(action) in _SETTINGS:
        return f':setting:{{compadd -S "" -- {" ".join(_SETTINGS[_metavar(action)])}}}'
    if _metavar(action) == "URI":
        return f":URI:({' '.join(uri.replace(':', chr(92) + ':') for uri in _URIS)})"
    return f":{_metavar(action).lower()}: "


def _zsh_verb(name: str, parser: argparse.ArgumentParser) -> str:
    specs = list(_zsh_options(parser))
    if _takes_guests(parser):
        specs.append("'*:guest:_guestctl_guests'")
    if name == "check":
        specs.append("'1:file:_files'")
    lines = " \\\n".join(f"                    {spec}" for spec in specs)
    return f"                {name}) _arguments \\\n{lines} ;;"


FILES = {"guestctl": bash, "_guestctl": zsh}


def main() -> None:
    """Write them."""
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
