"""A guest's settings in its metadata: docs/reference/metadata.md has their form.  Pure.

They are read of the whole XML of a guest, and changed in what virDomainGetMetadata has of it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from ...model.guest import OwnSetting
from ...model.policy_change import PolicyChange
from ...model.units import BadValue

#: The number is that of the form.
NAMESPACE = "urn:guestctl:policy:1"
ELEMENT = "policy"
#: The child that has settings for one way in which the host goes down, and its attribute.
PROFILE, _NAME = "profile", "name"
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
    if _size(settings) > MOST:
        return (), (f"it has more than {MOST} characters: it is not read",)
    return settings, tuple(_faults(policy))


def _size(settings: Iterable[OwnSetting]) -> int:
    return sum(len(key) + len(value) for key, value in settings)


def _settings(policy: ET.Element) -> Iterator[OwnSetting]:
    """Those of a profile are called profile.NAME.KEY."""
    for element, prefix in _parts(policy):
        for name, value in element.attrib.items():
            if not (prefix and _key(name) == _NAME):
                yield OwnSetting(prefix + _key(name), value.strip())
        for child in _elements(element):
            if not len(child) and not (element is policy and _is_profile(child)):
                yield OwnSetting(prefix + _key(child.tag), (child.text or "").strip())


def _parts(policy: ET.Element) -> list[tuple[ET.Element, str]]:
    """The element and each of its profiles, with what is put before the keys in it."""
    profiles = [child for child in _elements(policy) if _is_profile(child)]
    return [(policy, ""), *((one, f"{PROFILE}.{_name(one)}.") for one in profiles if _name(one))]


def _is_profile(element: ET.Element) -> bool:
    return _key(element.tag) == PROFILE


def _name(profile: ET.Element) -> str:
    return profile.get(_NAME, "").strip()


def _faults(policy: ET.Element) -> Iterator[str]:
    for element, prefix in _parts(policy):
        for child in element:
            if not (element is policy and _is_profile(child)):
                yield from _faults_of(child, (prefix + _key(child.tag))[:100])
        if any((text or "").strip() for text in (element.text, *(it.tail for it in element))):
            yield "text outside of its children means nothing"
    if any(_is_profile(child) and not _name(child) for child in policy):
        yield f"{PROFILE}: it has no name, and is not read"


def _faults_of(child: ET.Element, key: str) -> Iterator[str]:
    if len(child):
        yield f"{key}: expected a text, not elements"
    if child.attrib:
        yield f"{key}: its attributes mean nothing"


def _named(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _key(tag: str) -> str:
    """What libvirt's call takes has no prefixes within, what people write often has."""
    return tag.removeprefix(_named(""))


# Changing them


def why_unchangeable(domain: ET.Element) -> str:
    """Why a change would lose something; empty where it would not.

    virDomainSetMetadata puts one element in place of all of the namespace.
    """
    ours = [one.tag for one in domain.iterfind("metadata/*") if one.tag.startswith(_named(""))]
    if len(ours) > 1:
        return f"there are several elements in {NAMESPACE}, and only one of them would be left"
    if ours and ours != [_named(ELEMENT)]:
        return f'the element in {NAMESPACE} is to be "{ELEMENT}", not "{_key(ours[0])[:100]}"'
    return ""


def changed_policy(text: str | None, change: PolicyChange) -> str | None:
    """The element with the change, as virDomainSetMetadata takes it: without a prefix.

    text: as it is, None where there is none; None is returned where nothing is left of it.  What
    is not understood stays, comments included.  BadValue where it would not be read any more.
    """
    policy = ET.Element(ELEMENT) if text is None or change.afresh else _whole(text)
    for element, prefix in _parts(policy):
        _take(element, prefix, change)
    for one in change.given:
        _give(policy, one)
    for profile, _ in _parts(policy)[1:]:
        if not (len(profile) or profile.text or set(profile.attrib) != {_NAME}):
            policy.remove(profile)
    if (size := _size(_settings(policy))) > MOST:
        raise BadValue(f"there would be {size} characters, and more than {MOST} are not read")
    is_empty = not (policy.attrib or len(policy) or policy.text)
    return None if is_empty else ET.tostring(policy, "unicode")


def _take(element: ET.Element, prefix: str, change: PolicyChange) -> None:
    for name in [name for name in element.attrib if change.takes(prefix + name)]:
        del element.attrib[name]
    for child in [child for child in _elements(element) if change.takes(prefix + child.tag)]:
        if prefix or not _is_profile(child):  # a profile is no key, though an attribute may be so
            element.remove(child)


def _give(policy: ET.Element, setting: OwnSetting) -> None:
    prefix, dot, name = setting.key.rpartition(".")
    _part(policy, prefix + dot).set(name, setting.value)


def _part(policy: ET.Element, prefix: str) -> ET.Element:
    """The first with this prefix, made where there is none."""
    for element, called in _parts(policy):
        if called == prefix:
            return element
    name = prefix.removeprefix(f"{PROFILE}.").removesuffix(".")
    return ET.SubElement(policy, PROFILE, {_NAME: name})


def _whole(text: str) -> ET.Element:
    """With its comments, and without what only makes it look nice.  BadValue for no XML."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True))
    try:
        parser.feed(text)
        policy: ET.Element = parser.close()
    except (ET.ParseError, ValueError) as error:
        raise BadValue(f"the element cannot be read: {error}") from error
    own = [policy, *_elements(policy)]
    for element in [*own, *(it for one in own[1:] if _is_profile(one) for it in _elements(one))]:
        element.tag = _key(element.tag)
        element.attrib = {_key(name): value for name, value in element.attrib.items()}
        element.text = (element.text or "").strip()
    for child in [*policy, *(it for one in own[1:] if _is_profile(one) for it in one)]:
        child.tail = (child.tail or "").strip()
    return policy


def _elements(policy: ET.Element) -> list[ET.Element]:
    """Its children without comments, which have a function for a tag."""
    return [child for child in policy if isinstance(child.tag, str)]
