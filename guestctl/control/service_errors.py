"""How a request ends where the bus, or the service over it, answers with an error."""

from __future__ import annotations

from .. import __version__
from ..host.bus import NO_OWNER
from ..host.bus_calls import BusError
from ..host.bus_errors import Standard
from .failure import Failure, RequestError, ServiceLost
from .interface import ERRORS

_DBUS = "org.freedesktop.DBus.Error"
#: Nobody has the name: the service is not there, or not there yet.
_NOBODY = frozenset({NO_OWNER, f"{_DBUS}.ServiceUnknown"})
#: The service has no such method, object or property: it is of another version, or the run is gone.
UNKNOWN = frozenset(
    {Standard.UNKNOWN_METHOD, Standard.UNKNOWN_INTERFACE, Standard.UNKNOWN_PROPERTY}
)
NO_OBJECT = Standard.UNKNOWN_OBJECT
#: The service is being stopped, and begins nothing any more.
ENDING = f"{ERRORS}.ServiceEnding"
_FULL = frozenset({Standard.LIMITS_EXCEEDED, f"{_DBUS}.NoMemory"})
_STANDARD = {
    Standard.ACCESS_DENIED: Failure.NOT_PERMITTED,
    f"{_DBUS}.AuthFailed": Failure.NOT_PERMITTED,
    Standard.INTERACTIVE_REQUIRED: Failure.NOT_PERMITTED,
    Standard.INVALID_ARGS: Failure.WRONG_REQUEST,
}
#: Below an error of a call that may have been carried out.
_DONE_OR_NOT = "what became of it: `guestctl status`, `journalctl --unit=guestctl`"
_LOOK = "see `systemctl status guestctl` and `journalctl --unit=guestctl`"
_RESTART = "`systemctl restart guestctl` has the service run this version"


def name_of(error: RequestError) -> str:
    """Of the D-Bus error that stands for one of the service's."""
    return ENDING if isinstance(error, ServiceLost) else error_name(error.failure)


def error_name(failure: Failure) -> str:
    """Of the D-Bus error that stands for a failure, such as org.guestctl1.Error.NotAllWell."""
    return f"{ERRORS}.{''.join(word.capitalize() for word in failure.split())}"


_FAILURES = {error_name(failure): failure for failure in Failure} | _STANDARD


def is_lost(error: BusError) -> bool:
    """Whether nobody answered, or nobody well; another try may fare better."""
    return not error.name or error.name in _NOBODY | _FULL | {f"{_DBUS}.NoReply", ENDING}


def is_full(error: BusError) -> bool:
    """Whether there were too many calls, or nothing to answer them with."""
    return error.name in _FULL


def request_error(error: BusError, *, acts: bool = False) -> RequestError:
    """How the request ends.  acts: whether the service may have done it all the same."""
    if failure := _FAILURES.get(error.name):
        return RequestError(failure, str(error))
    if error.name == ENDING:
        return ServiceLost(str(error))
    if error.name in _NOBODY:
        return ServiceLost(f"the service is not on the bus; {_LOOK}")
    if is_full(error):
        return ServiceLost(f"the service takes no more calls just now: {error}; try again")
    text = f"cannot ask the service: {error}; {_DONE_OR_NOT if acts else _LOOK}"
    return ServiceLost(text) if is_lost(error) else RequestError(Failure.NOT_ALL_WELL, text)


def other_version(theirs: str, why: str) -> RequestError:
    """The service, of the version that it says, cannot be understood."""
    if theirs == __version__:
        text = f"the answer of the service cannot be read: {why}; {_LOOK}"
    else:
        text = (
            f"the service is guestctl {theirs} and this is {__version__}, which cannot read its"
            f" answer: {why}; {_RESTART}"
        )
    return RequestError(Failure.NOT_ALL_WELL, text)
