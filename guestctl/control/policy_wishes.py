"""What is wished of a guest's own settings, before anybody is asked for it."""

from __future__ import annotations

from ..config.own_change import Wishes, read_wishes
from ..model.units import BadValue
from .requests import Failure, PolicyRequest, RequestError


def wishes_of(request: PolicyRequest) -> Wishes:
    """What is wished, checked as far as that goes without the guest.  RequestError."""
    try:
        return read_wishes(request.given, request.dropped)
    except BadValue as error:
        raise refused(request.guest, str(error)) from error


def refused(guest: str, problems: str) -> RequestError:
    """Nothing was written, for these problems, a line each."""
    lines = [f"cannot change the settings of {guest}: {one}" for one in problems.splitlines()]
    return RequestError(Failure.WRONG_REQUEST, "\n".join([*lines, "nothing was changed"]))
