"""The schema of a guest's settings in its metadata, made from the table of settings.

`python3 -m tools.policy_schema > docs/reference/policy.rng`; a test holds the file to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guestctl.config.kinds import Kind, from_text
from guestctl.config.setting import Setting
from guestctl.config.settings import GUEST_PROFILE_SETTINGS, GUEST_SETTINGS
from guestctl.host.libvirt.policy_xml import ELEMENT, NAMESPACE, PROFILE
from guestctl.model.units import BadValue

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- A guest's own settings of guestctl, in its <metadata>: metadata.md says what they mean.
     Written by `make sample` from the table of settings. -->
<grammar xmlns="http://relaxng.org/ns/structure/1.0"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
"""


def schema() -> str:
    """The whole file."""
    start = [
        "  <start>\n",
        f'    <element name="{ELEMENT}" ns="{NAMESPACE}">\n',
        _contents(GUEST_SETTINGS, f"{PROFILE}.child"),
        "    </element>\n  </start>\n",
    ]
    defined = (*map(_define, GUEST_SETTINGS), _define_profile())
    return "".join([_HEAD, *start, *defined, "</grammar>\n"])


def _contents(rows: Sequence[Setting], *further: str) -> str:
    """Each setting as an attribute or as children, which may be further ones."""
    attributes = (
        f'      <optional><ref name="{row.guest_key}.attribute"/></optional>\n' for row in rows
    )
    names = [*(f"{row.guest_key}.child" for row in rows), *further]
    children = (f'          <ref name="{name}"/>\n' for name in names)
    head, tail = (
        "      <zeroOrMore>\n        <choice>\n",
        "        </choice>\n      </zeroOrMore>\n",
    )
    return "".join([*attributes, head, *children, tail])


def _define_profile() -> str:
    """What differs in a profile: a child with its name."""
    name = '<attribute name="name"><data type="token"><param name="minLength">1</param></data>'
    inside = f"      {name}</attribute>\n{_contents(GUEST_PROFILE_SETTINGS)}"
    elements = (
        f'      <element name="{PROFILE}" ns="{namespace}"><ref name="{PROFILE}"/></element>\n'
        for namespace in ("", NAMESPACE)
    )
    return (
        f'  <define name="{PROFILE}">\n{inside}  </define>\n'
        f'  <define name="{PROFILE}.child">\n    <choice>\n{"".join(elements)}'
        "    </choice>\n  </define>\n"
    )


def _define(row: Setting) -> str:
    """It is an attribute, or a child with the namespace or without."""
    key = row.guest_key
    value = "".join(f"    {line}\n" for line in _value(row.kind))
    ref = f'<ref name="{key}"/>'
    return (
        f'  <define name="{key}">\n{value}  </define>\n'
        f'  <define name="{key}.attribute">\n    <attribute name="{key}">{ref}</attribute>\n'
        f'  </define>\n  <define name="{key}.child">\n    <choice>\n'
        f'      <element name="{key}" ns="">{ref}</element>\n'
        f'      <element name="{key}" ns="{NAMESPACE}">{ref}</element>\n'
        f"    </choice>\n  </define>\n"
    )


def _value(kind: Kind[Any]) -> Iterator[str]:
    if kind.several and kind.words:
        yield f"<list><oneOrMore>{_word(kind)}</oneOrMore></list>"
    elif kind.several:
        yield "<text/>"
    else:
        yield _word(kind)


def _word(kind: Kind[Any]) -> str:
    if kind.words:
        return f"<choice>{''.join(f'<value>{word}</value>' for word in kind.words)}</choice>"
    if _takes(kind, "true"):
        return "<choice><value>true</value><value>false</value></choice>"
    return '<data type="token"><param name="minLength">1</param></data>'


def _takes(kind: Kind[Any], text: str) -> bool:
    try:
        kind.parse(from_text(kind, text))
    except BadValue:
        return False
    return True


if __name__ == "__main__":
    print(schema(), end="")
