"""What verbs may ask for: answered by this process, or by the service over the bus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from ..config.config import Config
from ..config.reading import Reading
from ..decisions.host_facts import HostFacts
from ..model.guest import GuestId
from ..model.plan import RunKind
from ..model.result import RunResult
from .guest_settings import GuestSettings
from .happened import Line
from .replies import ChangedPolicy, PastRunInFull, Problems, Said, Status, Trail
from .requests import Down, PolicyRequest, Shown, Up


class Client(Protocol):
    """Whoever answers.  Every method can raise RequestError; what ends nothing is complained of.

    Values are those that the verbs render, whoever gave them.
    """

    @property
    def config(self) -> Config:
        """The configuration that the options name, as this process reads it."""
        ...

    @property
    def uris(self) -> tuple[str, ...]:
        """The connections that are spoken of."""
        ...

    @property
    def sees_all(self) -> bool:
        """Whether what is wanted of the guests can be read; a user cannot read the host's."""
        ...

    @property
    def is_hosts(self) -> bool:
        """Whether what is recorded is the host's, and not a user's own."""
        ...

    # Reading

    def facts(self) -> HostFacts:
        """What is seen and known now; connections that cannot be read are complained of."""
        ...

    def status(self, *, hosts_files: bool) -> Status:
        """How it is now; hosts_files: whether `config` is the host's."""
        ...

    def problems(self) -> Problems:
        """What is wrong with guests."""
        ...

    def history(
        self, count: int, names: Sequence[str] = (), kind: RunKind | None = None
    ) -> list[PastRunInFull]:
        """The newest runs, newest first.

        names: only those with such guests, by name, UUID or pattern.  kind: only those of it.
        """
        ...

    def wanted_off(self) -> Collection[GuestId]:
        """Whom somebody turned off, and nobody has started since."""
        ...

    def trail(self, name: str, uris: Collection[str] | None, listed: Collection[GuestId]) -> Trail:
        """What is recorded of guests of this name or UUID, oldest first.

        uris: of guests on these connections alone.  listed: those that libvirt has under that
        name: one whose settings were changed need never have run.
        """
        ...

    def watch(self, show: Callable[[Line], bool]) -> None:
        """Tell of what happens to guests, a line for each thing.

        show: answers whether anybody reads on; it ends when nobody does, and at Ctrl-C.
        """
        ...

    def policy(self, found: Reading, name: str) -> GuestSettings:
        """The settings of the guest of this name or UUID.

        found: the configuration, with the places where each value stands.
        """
        ...

    # Acting

    def take_down(self, request: Down, shown: Shown) -> RunResult:
        """`shutdown`, with --preserve or without."""
        ...

    def bring_up(self, request: Up, shown: Shown) -> RunResult:
        """`start`."""
        ...

    def attach(self, shown: Shown) -> RunResult | None:
        """Show the service's run that goes on, from its beginning; None where there is none.

        RequestError where no service runs.
        """
        ...

    def cancel(self, shown: Shown, *, mine: bool) -> RunResult | None:
        """End the service's run that goes on as Ctrl-C does, and show it; None where there is none.

        mine: only one that the same user asked for, at the same terminal or in the same unit.
        RequestError where no service runs, the caller may not, or it is another one's.
        """
        ...

    def hold(self, names: Sequence[str], reason: str | None) -> Said:
        """Never have guests started by guestctl until they are released."""
        ...

    def release(self, names: Sequence[str], reason: str | None) -> Said:
        """End holds."""
        ...

    def forget(self, names: Sequence[str], reason: str | None) -> Said:
        """Nothing is wanted any more of guests that libvirt does not list."""
        ...

    def change_policy(self, found: Reading, request: PolicyRequest) -> ChangedPolicy:
        """Change what a guest's own XML says of its settings: all of it, or nothing.

        found: as of `policy`.
        """
        ...

    def reload(self) -> list[str]:
        """Have the service read the configuration; what is different now, value by value.

        RequestError where no service runs, or the configuration has mistakes.
        """
        ...
