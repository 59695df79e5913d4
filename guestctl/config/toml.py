"""Writing TOML: values and comments."""

from __future__ import annotations


def quoted(text: str) -> str:
    """The text as a TOML string, with nothing in it that a terminal would obey."""
    return '"' + _visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def written(value: object) -> str:
    """A value of text, numbers, lists and tables with bare keys, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            pairs = ", ".join(f"{key} = {written(part)}" for key, part in value.items())
            return f"{{ {pairs} }}"
        case _:
            return repr(value)


def comment(text: str) -> str:
    """The text as a comment of one line: the name of a file may hold anything."""
    return f"# {_visible(text)}"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
