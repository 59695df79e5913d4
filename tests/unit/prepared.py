"""What the command line's tests find there: a ledger with a guest, oddly named guests."""

from __future__ import annotations

import os

from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, GuestId, State
from tests.ledgers import clock
from tests.unit.command import TEST, TEST_UUID, Command

ODD_NODE = """
<node>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>-dash</name><uuid>00000000-0000-4000-8000-000000000001</uuid>
    <memory>1024</memory><os><type>hvm</type></os>
  </domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>gäst [bold]x &amp; "q" %s</name><uuid>00000000-0000-4000-8000-000000000002</uuid>
    <memory>1024</memory><os><type>hvm</type></os><test:runstate>5</test:runstate>
  </domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>passing</name><uuid>00000000-0000-4000-8000-000000000003</uuid>
    <memory>1024</memory><os><type>hvm</type></os><test:transient/>
  </domain>
</node>
"""
ODD_NAME = 'gäst [bold]x & "q" %s'


#: The test driver's guest, as a ledger would note it.
RUNNING = GuestFacts(GuestId(TEST, TEST_UUID), "test", State.RUNNING)


def prepare(command: Command, *reasons: str) -> None:
    """A ledger that knows the test driver's guest, readable by the command's user."""
    command.state.mkdir(parents=True, exist_ok=True)
    db = connect(command.ledger)
    ledger = Ledger(db, clock())
    with transaction(db):
        ledger.note_up(RUNNING, "another boot")
        for reason in reasons:
            ledger.trail.add(RUNNING.id, "source", reason)
    db.close()
    give(command)


def give(command: Command) -> None:
    """Have everything in the home belong to the command's user."""
    if os.geteuid() == 0:
        owner = command.home.stat()
        for path in command.home.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)
