"""What errors of the bus, and of the service over it, mean for who asked."""

from __future__ import annotations

import pytest

from guestctl import __version__
from guestctl.control.requests import Failure
from guestctl.control.service_errors import error_name, is_lost, other_version, request_error
from guestctl.host.bus_calls import BusError

DBUS = "org.freedesktop.DBus.Error"
MEANINGS = [
    ("org.guestctl1.Error.NotAllWell", Failure.NOT_ALL_WELL, "text"),
    ("org.guestctl1.Error.WrongRequest", Failure.WRONG_REQUEST, "text"),
    ("org.guestctl1.Error.NotPermitted", Failure.NOT_PERMITTED, "text"),
    ("org.guestctl1.Error.NoHypervisor", Failure.NO_HYPERVISOR, "text"),
    ("org.guestctl1.Error.Locked", Failure.LOCKED, "text"),
    ("org.guestctl1.Error.ServiceEnding", Failure.NOT_ALL_WELL, "text"),
    (f"{DBUS}.AccessDenied", Failure.NOT_PERMITTED, "text"),
    (f"{DBUS}.InteractiveAuthorizationRequired", Failure.NOT_PERMITTED, "text"),
    (f"{DBUS}.InvalidArgs", Failure.WRONG_REQUEST, "text"),
    (f"{DBUS}.LimitsExceeded", Failure.NOT_ALL_WELL, "no more calls just now: text; try again"),
    (f"{DBUS}.NoReply", Failure.NOT_ALL_WELL, "cannot ask the service: text; see `systemctl"),
    (f"{DBUS}.NameHasNoOwner", Failure.NOT_ALL_WELL, "the service is not on the bus; see `system"),
    ("", Failure.NOT_ALL_WELL, "cannot ask the service: text; see `systemctl status guestctl`"),
    ("org.example.Odd", Failure.NOT_ALL_WELL, "cannot ask the service: text"),
]


@pytest.mark.parametrize(("name", "failure", "said"), MEANINGS)
def test_what_an_error_means(name: str, failure: Failure, said: str) -> None:
    error = request_error(BusError(name, "text"))
    assert error.failure is failure
    assert said in str(error)


def test_every_failure_has_a_name_on_the_bus() -> None:
    for failure in Failure:
        assert request_error(BusError(error_name(failure), "text")).failure is failure


def test_what_nobody_answered_may_have_been_done() -> None:
    error = request_error(BusError("", "no answer"), acts=True)
    assert "what became of it: `guestctl status`" in str(error)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("", True),
        (f"{DBUS}.NoReply", True),
        (f"{DBUS}.NameHasNoOwner", True),
        (f"{DBUS}.LimitsExceeded", True),
        ("org.guestctl1.Error.ServiceEnding", True),
        (f"{DBUS}.UnknownObject", False),
        ("org.guestctl1.Error.Locked", False),
    ],
)
def test_when_another_try_may_fare_better(name: str, *, lost: bool) -> None:
    assert is_lost(BusError(name, "text")) is lost


def test_another_version_is_named_with_what_to_do() -> None:
    said = str(other_version("0.9", "x is missing"))
    assert "guestctl 0.9" in said
    assert __version__ in said
    assert "`systemctl restart guestctl`" in said
    assert "systemctl restart" not in str(other_version(__version__, "x is missing"))
