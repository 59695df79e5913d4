"""A managed save that no guest has: what libvirt does with it, and what the doctor says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.host import doctor
from tests.host.stage import FEW
from tests.host.support import boots_of
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
MOVED = GuestSpec("moved")
SAVE = "/var/lib/libvirt/qemu/save/moved.save"
KEPT = "/run/moved.save"
OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def stray(host: Host) -> Iterator[Host]:
    """A host with a save of a guest that is defined no more, as an offline migration leaves it."""
    host.start(MOVED)
    host.virsh("managedsave", MOVED.name)
    host.run(["cp", "--preserve=all", SAVE, KEPT])
    gone_again(host)
    yield host
    host.run(f"rm -f {SAVE} {KEPT}")
    host.run(f"virsh destroy {MOVED.name}; virsh undefine {MOVED.name}", check=False)
    for uuid in (MOVED.id, OTHER):
        host.run(f"guestctl forget {uuid}", check=False)


def gone_again(host: Host) -> None:
    """The guest, and not its save."""
    host.run(f"virsh managedsave-remove {MOVED.name}; virsh destroy {MOVED.name}", check=False)
    host.virsh("undefine", MOVED.name)
    host.run(["cp", "--preserve=all", KEPT, SAVE])


def test_a_save_of_nobody(stray: Host) -> None:
    found = doctor.found(stray, "save-of-nobody")
    assert found["severity"] == "warning"
    assert SAVE in found["problem"]
    assert MOVED.id in str(found["evidence"])
    assert f"<uuid>{MOVED.id}</uuid>" in stray.run(["sh", "-c", found["command"]]).stdout
    stray.run(["rm", SAVE])
    assert "save-of-nobody" not in doctor.checks(stray)


def test_the_guest_defined_again_is_resumed_from_it(stray: Host) -> None:
    boots = boots_of(stray, MOVED.name)
    stray.define(MOVED)
    assert "save-of-nobody" not in doctor.checks(stray)
    assert MOVED.name not in stray.virsh("list", "--all", "--with-managed-save", "--name")
    stray.start_again(MOVED.name)
    assert boots_of(stray, MOVED.name) == boots


def test_another_guest_of_that_name_is_not_started(stray: Host) -> None:
    """libvirt 9.0 refuses each start; 11.3 says that it has started the guest, which stays off, and
    removes the save."""
    stray.define(replace(MOVED, uuid=OTHER))
    stray.run(["virsh", "start", MOVED.name], check=False)
    assert stray.state(MOVED.name) == "shut off"
    stray.run(["rm", "-f", SAVE])
    stray.start_again(MOVED.name)
