"""The events of a random story: boot after boot, and all is well in the end.

In the last turns whatever stood in the way of guests is taken away, and the host is booted
once more: what is owed then has no excuse for staying away.
"""

from __future__ import annotations

import random

from tests.sim.events import Line, Turn

_BEFALLS = (
    "powers itself off",
    "is destroyed",
    "is started",
    "is started",
    "is saved",
    "is paused",
    "is unpaused",
    "crashes",
    "migrates away",
    "is undefined",
    "freezes",
    "has a broken image",
    "has its image put back",
    "has its disk changed",
    "has its disk replaced",
    "has no disk",
    "has its disk again",
    "is defined",
)
_TROUBLES = (
    "{uri} is lost for 5s",
    "{uri} is lost for 30s",
    "{uri} is lost",
    "{uri} is killed for 3s",
    "{uri} is killed for 40s",
    "the ledger's disk is full",
    "the ledger's disk has room again",
    "files do not answer",
    "files answer again",
    "the clock jumps by 1d",
    "the clock jumps by -3h",
    "the room of {uri} is 1GiB",
)
_CUTS = (
    "guestctl is killed",
    "guestctl is killed",
    "guestctl is interrupted",
    "power cut",
    "power cut that loses unlinks",
)
_MOMENTS = (0.0, 0.5, 1.0, 2.5, 4.0, 7.0, 15.0, 31.0, 60.0)
#: A run of two guests comes to so many calls and ledger writes.
_MOST_POINTS = 60


class Timeline:
    """Makes the turns of one story."""

    def __init__(self, random: random.Random, names: list[str], uris: tuple[str, ...]) -> None:
        self._random = random
        self._names = names
        self._uris = uris

    def turns(self) -> list[Turn]:
        """The whole story."""
        turns = [Turn(None)]
        for _ in range(self._random.choice((1, 1, 2, 3))):
            turns += self._phase()
        return turns + self._good_end()

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _phase(self) -> list[Turn]:
        """What is done between two boots, or within one."""
        kind = self._random.choice(("host", "host", "host", "operator", "operator", "cut", "hold"))
        if kind == "host":
            return [self._turn("host stops"), self._turn("reboot"), self._turn("boot")]
        if kind == "hold":
            name = self._random.choice(self._names)
            deeds = (f"hold {name}", "host stops", "reboot", "boot", f"release {name}")
            return [self._turn(deed) for deed in deeds]
        if kind == "cut":
            return [self._turn("preserve"), self._turn("reboot"), self._turn("start")]
        return [self._turn(self._command()) for _ in range(self._random.choice((1, 2)))]

    def _command(self) -> str:
        name = self._random.choice(self._names)
        return self._random.choice(
            (
                "preserve",
                "preserve --within 20s",
                f"preserve {name}",
                f"shutdown {name}",
                "shutdown --all",
                "start",
                "start",
                f"start {name}",
                f"start {name} --resume-anyway",
                f"start {name} --discard-save",
                f"hold {name}",
                f"release {name}",
            )
        )

    def _turn(self, command: str) -> Turn:
        turn = Turn(Line(self._random.choice(_MOMENTS), True, command))
        while self._chance(0.3):
            turn.happenings.append(self._happening())
        if self._chance(0.15) and command != "reboot":
            turn.happenings.append(self._cut())
        return turn

    def _happening(self) -> Line:
        if self._chance(0.75):
            deed = f"{self._random.choice(self._names)} {self._random.choice(_BEFALLS)}"
        else:
            deed = self._random.choice(_TROUBLES).format(uri=self._random.choice(self._uris))
        return Line(self._random.choice(_MOMENTS), True, deed)

    def _cut(self) -> Line:
        deed = self._random.choice(_CUTS)
        if self._chance(0.6):
            return Line(0.0, True, f"{deed} at point {self._random.randint(1, _MOST_POINTS)}")
        return Line(self._random.choice(_MOMENTS), True, deed)

    def _good_end(self) -> list[Turn]:
        """Every fault that can be mended is mended before the last boot."""
        healing = ("has its disk again", "thaws")
        deeds = [f"{name} {what}" for name in self._names for what in healing]
        deeds += ["the ledger's disk has room again", "files answer again"]
        reboot = Turn(Line(120.0, True, "reboot"), [Line(0.0, True, deed) for deed in deeds])
        return [reboot, Turn(Line(1.0, True, "boot")), Turn(Line(600.0, True, "start"))]
