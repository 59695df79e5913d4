"""Paths of objects on the bus lead to what they are of, and to nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model.guest import GuestId
from guestctl.service import bus_paths

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
PATH = f"/org/guestctl1/guest/qemu_3a_2f_2f_2fsystem/{UUID.replace('-', '_2d')}"


def test_a_guest_has_a_path() -> None:
    guest = GuestId("qemu:///system", UUID)
    assert bus_paths.guest_path(guest) == PATH
    assert bus_paths.guest_of(PATH) == guest
    assert bus_paths.connection_of("/org/guestctl1/guest/qemu_3a_2f_2f_2fsystem") == guest.uri


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_comes_back(uri: str, uuid: str) -> None:
    guest = GuestId(*(text.encode(errors="replace").decode() for text in (uri, uuid)))
    assert bus_paths.guest_of(bus_paths.guest_path(guest)) == guest


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/org/guestctl1",
        "/org/guestctl1/guest",
        "/org/guestctl1/guests/a/b",
        "/org/guestctl1/guest/a/b/c",
        "/org/guestctl1/guest/a_2/b",
        "/org/guestctl1/guest/a_2F/b",
        "/org/guestctl1/guest/a_61/b",
        "/org/guestctl1/guest/a_/b",
    ],
)
def test_no_other_path_is_a_guests(path: str) -> None:
    assert bus_paths.guest_of(path) is None


@pytest.mark.parametrize("element", ["0", "01", "x", "1/2", "", "1" * 30])
def test_no_other_path_is_a_runs(element: str) -> None:
    assert bus_paths.run_of(f"/org/guestctl1/run/{element}") is None
    assert bus_paths.run_of(bus_paths.run_path(12)) == 12
