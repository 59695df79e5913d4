"""A guest's settings in its metadata: docs/reference/metadata.md has their form.  Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

from ...model.guest import OwnSetting

#: The number is that of the form.
NAMESPACE = "urn:guestctl:policy:1"
ELEMENT = "policy"
_ALL_FORMS = "urn:guestctl:policy"
#: Characters of keys and values: a guest's owner may write megabytes, and it takes seconds to find
#: guests by thousands of patterns.
MOST = 1 << 12

Read = tuple[tuple[OwnSetting, ...], tuple[str, ...]]


def is_policys(tag: str) -> bool:
    """Whether an element in a guest's metadata is guestctl's, of whatever form."""
    return tag.startswith(f"{{{_ALL_FORMS}")


def read_policy(domain: ET.Element) -> Read:
    """What the metadata give, and what is wrong with them."""
    elements = [one for one in domain.iterfind("metadata/*") if is_policys(one.tag)]
    ours = [one for one in elements if one.tag == _named(ELEMENT)]
    faults = [_of_other(one) for one in elements if one not in ours]
    if len(ours) > 1:
        faults.append("there are several policy elements: the first one counts")
    settings, wrong = _read(ours[0]) if ours else ((), ())
    return settings, (*faults, *wrong)


def _of_other(element: ET.Element) -> str:
    namespace, _, name = element.tag[1:].partition("}")
    if namespace != NAMESPACE:
        return f"{namespace[:100]} is not known to this version of guestctl: it is not read"
    return f'the element in {NAMESPACE} is to be "{ELEMENT}", not "{name[:100]}"'


def _read(policy: ET.Element) -> Read:
    settings = tuple(_settings(policy))
    if sum(len(key) + len(value) for key, value in settings) > MOST:
        return (), (f"it has more than {MOST} characters: it is not read",)
    return settings, tuple(_faults(policy))


def _settings(policy: ET.Element) -> Iterator[OwnSetting]:
    for name, value in policy.attrib.items():
        yield OwnSetting(_key(name), value.strip())
    for child in policy:
        if not len(child):
            yield OwnSetting(_key(child.tag), (child.text or "").strip())


def _faults(policy: ET.Element) -> Iterator[str]:
    for child in policy:
        if len(child):
            yield f"{_key(child.tag)[:100]}: expected a text, not elements"
        if child.attrib:
            yield f"{_key(child.tag)[:100]}: its attributes mean nothing"
    if any((text or "").strip() for text in (policy.text, *(child.tail for child in policy))):
        yield "text outside of its children means nothing"


def _named(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _key(tag: str) -> str:
    """What libvirt's call takes has no prefixes within, what people write often has."""
    return tag.removeprefix(_named(""))
