"""Errors that a call over the bus is answered with."""

from __future__ import annotations

from enum import StrEnum

_PREFIX = "org.freedesktop.DBus.Error"
#: Characters of an error's text that are of use.
_LONGEST_TEXT = 500


class Standard(StrEnum):
    """Errors that every client knows."""

    FAILED = f"{_PREFIX}.Failed"
    ACCESS_DENIED = f"{_PREFIX}.AccessDenied"
    #: polkit would ask the user, and the call does not let it.
    INTERACTIVE_REQUIRED = f"{_PREFIX}.InteractiveAuthorizationRequired"
    INVALID_ARGS = f"{_PREFIX}.InvalidArgs"
    LIMITS_EXCEEDED = f"{_PREFIX}.LimitsExceeded"
    PROPERTY_READ_ONLY = f"{_PREFIX}.PropertyReadOnly"
    UNKNOWN_INTERFACE = f"{_PREFIX}.UnknownInterface"
    UNKNOWN_METHOD = f"{_PREFIX}.UnknownMethod"
    UNKNOWN_OBJECT = f"{_PREFIX}.UnknownObject"
    UNKNOWN_PROPERTY = f"{_PREFIX}.UnknownProperty"


class CallError(Exception):
    """What a call is answered with in place of a result.

    name: of the error, as D-Bus has them; one of `Standard` or of an interface's own.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
        super().__init__(self.text)
