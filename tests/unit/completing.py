"""What bash, zsh and fish themselves offer with the scripts of completions/."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.completions import FOLDER

#: In the place of guestctl: two guests, one with a blank in its name and held; three profiles.
GUESTCTL = r"""#!/bin/sh
case "$*" in
"list -o name") printf 'web-1\nmy guest\n' ;;
"list --held -o name") echo 'my guest' ;;
"check --show") printf '%s\n' '[profile.ups]' '[profile.day]  # x' '[guest.profile.night]' ;;
esac
"""
#: Before what is offered for each line.
_MARK = "--- "
_BASH = """
source {folder}/guestctl
compopt() {{ :; }}
for line; do
    mapfile -t COMP_WORDS <<<"$line"
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    _guestctl
    echo '{mark}'
    printf '%s\\n' "${{COMPREPLY[@]}}"
done >"$OFFERED"
"""
_FISH = """
source {folder}/guestctl.fish
for line in $argv
    echo '{mark}'
    complete -C "$line"
end >$OFFERED
"""
#: Matches are known in a widget alone, and there to who stands in for compadd.
_ZSHRC = """
fpath=({folder} $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {{
    local -a hits
    if (( ! ${{@[(I)-[ADO]]}} )); then
        builtin compadd -A hits "$@"
        print -rl -- $hits >>$OFFERED
    fi
    builtin compadd "$@"
}}
zle-line-init() {{
    for BUFFER in "${{(@f)LINES_TO_COMPLETE}}"; do
        print -r -- '{mark}' >>$OFFERED
        CURSOR=$#BUFFER
        zle complete-word
    done
    exit
}}
zle -N zle-line-init
"""


def bash(folder: Path, lines: Sequence[str]) -> list[str]:
    """What it offers for the last word of each line, as it would insert it."""
    # readline takes colons for breaks.
    words = ["\n".join(re.findall(r":|[^ :]+|(?<= )$", line)) for line in lines]
    return _run(folder, ["bash", "-c", _filled(_BASH), "bash", *words])


def zsh(folder: Path, lines: Sequence[str]) -> list[str]:
    """The same; it completes on terminals alone."""
    (folder / ".zshrc").write_text(_filled(_ZSHRC))
    outer, inner = pty.openpty()
    try:
        more = {"ZDOTDIR": str(folder), "LINES_TO_COMPLETE": "\n".join(lines), "TERM": "dumb"}
        return _run(folder, ["zsh", "-d", "-i"], inner, more)
    finally:
        os.close(outer)
        os.close(inner)


def fish(folder: Path, lines: Sequence[str]) -> list[str]:
    """The same, without the descriptions."""
    found = _run(folder, ["fish", "--no-config", "-c", _filled(_FISH), *lines])
    return [re.sub(r"\t.*", "", block) for block in found]


def _filled(script: str) -> str:
    return script.format(folder=FOLDER, mark=_MARK)


def _run(
    folder: Path, argv: list[str], terminal: int | None = None, more: dict[str, str] | None = None
) -> list[str]:
    program = folder / "guestctl"
    program.write_text(GUESTCTL)
    program.chmod(0o755)
    output = folder / "offered"
    output.touch()
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    env |= {"OFFERED": str(output), **(more or {})}
    done = subprocess.run(
        argv,
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=env,
        timeout=60,
        start_new_session=True,
        cwd=folder,
    )
    assert done.stderr == b""
    return output.read_text().split(f"{_MARK}\n")[1:]


def unquoted(block: str) -> set[str]:
    """Words as bash and zsh would insert them, without their quotes."""
    return {" ".join(shlex.split(line)) for line in block.splitlines() if line}


SHELLS: dict[str, tuple[Callable[[Path, Sequence[str]], list[str]], Callable[[str], set[str]]]] = {
    "bash": (bash, unquoted),
    "zsh": (zsh, unquoted),
    "fish": (fish, lambda block: set(block.splitlines())),
}


def offered(shell: str, folder: Path, lines: Sequence[str]) -> dict[str, set[str]]:
    """What a shell offers for each line."""
    ask, read = SHELLS[shell]
    return dict(zip(lines, map(read, ask(folder, lines)), strict=True))
