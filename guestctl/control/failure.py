"""How requests can end in place of an answer."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """Why a request could not be answered as asked; the command line's exit statuses."""

    NOT_ALL_WELL = "not all well"
    WRONG_REQUEST = "wrong request"
    NOT_PERMITTED = "not permitted"
    NO_HYPERVISOR = "no hypervisor"
    LOCKED = "locked"


class RequestError(Exception):
    """The request ends with this failure; the text reads "cannot …: cause"."""

    def __init__(self, failure: Failure, message: str) -> None:
        self.failure = failure
        super().__init__(message)


class ServiceLost(RequestError):
    """The service took no call, or never answered, or went away before the end of a run, of which
    it may have done a part."""

    def __init__(self, message: str) -> None:
        super().__init__(Failure.NOT_ALL_WELL, message)


class Detached(Exception):
    """Whoever showed a run of the service does so no more, and the run goes on; the text says how
    to see it again."""


def unreachable(*, refused: bool) -> Failure:
    """The failure when no connection could be read; refused: each for want of permission."""
    return Failure.NOT_PERMITTED if refused else Failure.NO_HYPERVISOR
