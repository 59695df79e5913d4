"""Files of a shell's settings are read as a shell reads them, or refused with the line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.shell_settings import read, read_defaults
from guestctl.model.given import NotUnderstood

FILE = Path("/etc/default/libvirt-guests")
#: Texts, what a shell has for A afterwards, and the line that says so.
UNDERSTOOD = [
    ("A=1", "1", 1),
    ("\n# A=0\n  A=2 # why\n", "2", 3),
    ("A=1\nA=2\n", "2", 2),
    ("B=x A=1", "1", 1),
    ("B=x; A=1;\n", "1", 1),
    ("export A=1", "1", 1),
    ("export B A='x y'", "x y", 1),
    ("A=", "", 1),
    ('A="x y"', "x y", 1),
    ("A='it'\\''s'", "it's", 1),
    ('A="a\\"b\\\\c\\d"', 'a"b\\c\\d', 1),
    ("A=a\\ b", "a b", 1),
    ("A=1\\\n2", "12", 1),
    ('A="1\\\n2"', "12", 1),
    ("A='1\n2'", "1\n2", 1),
    ("A='$x `y`'", "$x `y`", 1),
    ('A="\\$x"', "$x", 1),
    ("A=1#2", "1#2", 1),
    ("A=x=y*", "x=y*", 1),
    ("A=1\r\n", "1\r", 1),
    ("\\\n#\nA=1", "1", 3),
]
#: Texts that are refused, the line, and what is said.
REFUSED = [
    ('\nA="$B x"', 2, "compute the value of A"),
    ("A=`id`", 1, "compute the value of A"),
    ("A=~", 1, "compute the value of A"),
    ("A=1\n. /etc/more", 2, "would run '.' here"),
    ("if true; then A=1; fi", 1, "would run 'if' here"),
    ("A= 1", 1, "would run '1' here"),
    ("A+=1", 1, "would run 'A+=1' here"),
    ("'A'=1", 1, "would run 'A=1' here"),
    ("A=1 export B=2", 1, "would run 'export' here"),
    ("export -n A", 1, "export of '-n' is not understood"),
    ("export A=*", 1, "export of 'A=*' is not understood"),
    ("export", 1, "would run 'export' here"),
    ("A=1 & B=2", 1, "'&'"),
    ("A=(1)", 1, "'('"),
    ("A=1\nA='2\n\n", 2, "the ' that opens here is not closed"),
    ('A="2\n', 1, 'the " that opens here is not closed'),
    ("A=1\\", 1, "ends with a backslash"),
    (";A=1", 1, "a mistake"),
    ("A=1;;", 1, "a mistake"),
    ("A=1\nB=\0", 2, "no text"),
]


@pytest.mark.parametrize(("text", "value", "line"), UNDERSTOOD)
def test_what_is_understood(text: str, value: str, line: int) -> None:
    found = read(text, FILE)["A"]
    assert (found.value, found.file, found.line) == (value, str(FILE), line)
    assert found.where == f"{FILE}:{line}"


@pytest.mark.parametrize(("text", "line", "said"), REFUSED)
def test_what_is_refused(text: str, line: int, said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(text, FILE)
    assert str(refused.value).startswith(f"{FILE}:{line}: ")
    assert said in str(refused.value)


def test_the_same_in_a_shell(tmp_path: Path) -> None:
    """The table above is true."""
    texts = [text for text, _, _ in UNDERSTOOD]
    assert by_shell(tmp_path, texts) == [f"{value}\0" for _, value, _ in UNDERSTOOD]


#: Prints A of each file, whatever becomes of the others; a mistake in a file ends a subshell.
SCRIPT = 'for f; do ( unset A; . "$f"; printf "%s\\0" "${A-none}" ) 2>&1; printf "\\1"; done'


def by_shell(folder: Path, texts: list[str]) -> list[str]:
    """What a shell has for A after each of these files, or what it says."""
    files = [folder / f"{number}.conf" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode())
    argv = ["/bin/sh", "-c", SCRIPT, "sh", *map(str, files)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=30, env={}, cwd=folder)
    return done.stdout.decode().split("\1")[:-1]


words = st.sampled_from(["A=", "B=", "export ", "{a,b}", "\\\n"])
parts = words | st.sampled_from("AB=1;#'\"\\*?[]!é:$`~&|<()- \t\n\r")
texts = st.lists(parts, max_size=12).map("".join) | st.text(max_size=12).map("A=1 {}".format)


@given(st.lists(texts, min_size=10, max_size=40))
def test_whatever_comes_is_what_a_shell_has_or_is_refused(scratch: Path, given: list[str]) -> None:
    """Only what is understood is run: nothing in it is a command."""
    understood = {text: value for text in given for value in _value(text)}
    said = by_shell(scratch, list(understood))
    assert said == [f"{value}\0" for value in understood.values()]


def _value(text: str) -> list[str]:
    """Of A, if the text is understood; "none" where it gives none."""
    if "\1" in text:
        return []
    try:
        found = read(text, FILE)
    except NotUnderstood:
        return []
    return [str(found["A"].value) if "A" in found else "none"]


def test_defaults_of_a_script() -> None:
    script = '#!/bin/sh\nx() {\n    A=0\n}\nA="1"\nB=$(date)\nC=3\nA=2\n'
    found = read_defaults(script, FILE, {"A", "B"})
    assert {key: (it.value, it.where) for key, it in found.items()} == {
        "A": ("1", f"the default, {FILE}:5")
    }
