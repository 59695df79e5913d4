"""Writing a guest's own settings into its XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import libvirt

from ...model.policy_change import PolicyChange
from ...model.units import BadValue
from .domain_xml import parsed
from .policy_xml import NAMESPACE, changed_policy, why_unchangeable

#: The prefix that libvirt gives the element.
KEY = "guestctl"
_ELEMENT = libvirt.VIR_DOMAIN_METADATA_ELEMENT
_LIVE, _CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG


def change_policy(domain: Any, change: PolicyChange) -> str:
    """As Hypervisor.change_policy has it: read and written with nothing in between.

    The definition is what counts.  A running guest has its own copy, which a save keeps, and which
    is all that a transient one has.
    """
    running, defined = domain.isActive(), domain.isPersistent()
    try:
        text = None if change.afresh else _text(domain, _CONFIG if defined else _LIVE)
        element = changed_policy(text, change)
    except BadValue as error:
        return str(error)
    flags = (_LIVE if running else 0) | (_CONFIG if defined else 0)
    domain.setMetadata(_ELEMENT, element, KEY, NAMESPACE, flags)
    return ""


def _text(domain: Any, which: int) -> str | None:
    """The element as it is, None for none.  BadValue where it must not be changed."""
    try:
        definition = parsed(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    except (ET.ParseError, ValueError) as error:
        raise BadValue(f"its definition cannot be read: {error}") from error
    if reason := why_unchangeable(definition):
        raise BadValue(reason)
    try:
        text: str = domain.metadata(_ELEMENT, NAMESPACE, which)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise
    return text
