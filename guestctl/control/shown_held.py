"""Guests that are held, shown to libvirt's hook, which refuses to start them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..host import machine
from ..host.held_starts import HeldStarts
from ..ledger.file import TROUBLE
from ..ledger.ledger import Ledger


def shows_held(refuses: Callable[[], bool]) -> Callable[[Ledger], None]:
    """Keeps libvirt's hook told which guests it is to refuse, at each write to the ledger.

    refuses: whether it is to refuse any ([boot] refuse-starts).
    """
    held = HeldStarts(machine.run_folder())

    def show(ledger: Ledger) -> None:
        """Without a ledger nobody is refused: a person's decision could not be taken note of."""
        if machine.is_root():
            with contextlib.suppress(*TROUBLE):  # whoever reads the same next will say so
                held.show(ledger.held_for_save() if ledger.remembers and refuses() else ())

    return show
