"""What becomes of a simulated guest as its host or its libvirtd is gone, and as that is back."""

from __future__ import annotations

from guestctl.model.event import JobKind
from guestctl.model.guest import State

from .behaviour import Image
from .chronicle import By, Fate
from .jobs import BusyMachine


class Outages(BusyMachine):
    """A guest whose host and libvirtd can be lost."""

    def lose_memory(self) -> None:
        """The host is gone under it: what was being saved is half a file."""
        if self.up:
            self._note(Fate.STOPPED, By.HOST)
        if self._job and self._job.kind is JobKind.SAVE:
            self._make_image(Image.INCOMPLETE)
        self._end_job()
        self._block_job = None
        self._life += 1
        self._owed.clear()
        self._lock.forget()
        self._set(State.SHUT_OFF, "unknown")
        if not self.persistent:
            self._owner.remove(self)

    def lose_libvirtd(self) -> None:
        """Its libvirtd was killed: QEMU goes on without, and nobody has it do anything."""
        self._lock.forget()
        if self._job and self._job.kind is JobKind.SAVE:
            self._make_image(Image.INCOMPLETE)
        self._end_job()

    def find_libvirtd(self) -> None:
        """A libvirtd is there again: it ends what the old one had begun, and forgot why."""
        if not self.up:
            self._set(State.SHUT_OFF, "unknown")
        elif self.reason == "saving":
            self._image_taken_until = self._loop.time() + self.behaviour.save.helper
            self._go_on_after_save("unpaused")
        elif self.reason == "starting up":
            self._life += 1
            self._set(State.SHUT_OFF, "failed")
