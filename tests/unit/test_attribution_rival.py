"""Who stopped the guest, beside a stop of libvirt-guests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.decisions.attribution import Stop, verdict
from guestctl.model.stop import Certainty, Heard, RivalStop, StoppedBy
from tests.unit.heard import (
    PAUSED,
    PRESSED,
    TOLD_TO_END,
    WINDOW,
    down,
    heard,
    stopped,
)
from tests.unit.makers import guest_id

USER, ADMIN = StoppedBy.USER, StoppedBy.ADMINISTRATOR
SURE, LIKELY, INFERRED = Certainty.OBSERVED, Certainty.LIKELY, Certainty.INFERRED
BY_IT = StoppedBy.LIBVIRT_GUESTS


def rival(began: float, ended: float | None = None) -> RivalStop:
    """A stop of libvirt-guests with the guest on its list."""
    return RivalStop(frozenset({guest_id().uuid}), began, ended)


#: Of a stop with libvirt's reason, by what was heard, beside one of libvirt-guests.
BESIDE_A_RIVAL: dict[str, tuple[str, Heard | None, RivalStop, StoppedBy, Certainty]] = {
    "pressed meanwhile": ("shutdown", down((15, PRESSED)), rival(10), BY_IT, LIKELY),
    "and down after its end": (
        "shutdown",
        down((15, PRESSED), (150, PAUSED)),
        rival(10, 20),
        BY_IT,
        LIKELY,
    ),
    "and down long after that": (
        "shutdown",
        down((15, PRESSED), (WINDOW + 20, PAUSED)),
        rival(10, 20),
        USER,
        LIKELY,
    ),
    "pressed before it": ("shutdown", down((5, PRESSED)), rival(10), ADMIN, SURE),
    "pressed after it": ("shutdown", down((30, PRESSED)), rival(10, 20), ADMIN, SURE),
    "pressed right after it, of a guest that was started since": (
        "shutdown",
        replace(down((24, PRESSED)), started=22.0),
        rival(10, 20),
        ADMIN,
        SURE,
    ),
    "the same as it is still being stopped": (
        "shutdown",
        replace(down((24, PRESSED)), started=22.0),
        rival(10),
        ADMIN,
        SURE,
    ),
    "pressed meanwhile, of a guest that was started before": (
        "shutdown",
        replace(down((15, PRESSED)), started=2.0),
        rival(10),
        BY_IT,
        LIKELY,
    ),
    "nobody pressed": ("shutdown", down((15, PAUSED)), rival(10), USER, SURE),
    "nobody listened when it was pressed": (
        "shutdown",
        down((25, PAUSED), since=15),
        rival(10, 20),
        BY_IT,
        LIKELY,
    ),
    "nor before its end": (
        "shutdown",
        down((40, PAUSED), since=30),
        rival(10, 20),
        USER,
        LIKELY,
    ),
    "nor for long": (
        "shutdown",
        down((WINDOW + 40, PAUSED), since=WINDOW + 30),
        rival(10, 20),
        USER,
        LIKELY,
    ),
    "saved meanwhile": ("saved", heard((15, stopped("saved"))), rival(10), BY_IT, LIKELY),
    "saved after it": ("saved", heard((30, stopped("saved"))), rival(10, 20), ADMIN, SURE),
    "a container": (
        "shutdown",
        heard((15, stopped("shutdown")), monitored=False),
        rival(10),
        BY_IT,
        LIKELY,
    ),
    "its plug was pulled": (
        "destroyed",
        heard((15, PRESSED), TOLD_TO_END, stopped("destroyed")),
        rival(10),
        ADMIN,
        SURE,
    ),
    "its QEMU was told to end": (
        "shutdown",
        heard((15, PRESSED), TOLD_TO_END, stopped("shutdown")),
        rival(10),
        ADMIN,
        SURE,
    ),
    "it crashed": ("crashed", heard((15, stopped("crashed"))), rival(10), StoppedBy.CRASH, SURE),
    "nobody listened": ("shutdown", None, rival(10, 20), BY_IT, INFERRED),
    "nobody listened, saved": ("saved", None, rival(10, 20), BY_IT, INFERRED),
    "nobody listened, libvirt forgot": ("unknown", None, rival(10, 20), BY_IT, INFERRED),
    "nobody listened, plug pulled": ("destroyed", None, rival(10, 20), ADMIN, INFERRED),
}


@pytest.mark.parametrize("story", BESIDE_A_RIVAL)
def test_libvirt_guests_stopped_it_only_if_it_was_asked_by_that(story: str) -> None:
    reason, told, beside, who, certainty = BESIDE_A_RIVAL[story]
    found = verdict(Stop(reason, told, None, WINDOW, beside))
    assert (found.who, found.certainty) == (who, certainty)
