"""Completion for shells, made from the command line's grammar.

`make sample` writes completions/; a test holds the files to it.
"""

from __future__ import annotations

from pathlib import Path

from .bash_completion import bash
from .fish_completion import fish
from .zsh_completion import zsh

FOLDER = Path(__file__).parents[1] / "completions"
FILES = {"guestctl": bash, "_guestctl": zsh, "guestctl.fish": fish}


def main() -> None:
    """Write them."""
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
