"""The service on a simulated host: logind and systemd around it, its lives, the guard after it.

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await host.until_idle()
        await host.stop_units()
        await host.boot()

Nothing but the surroundings is simulated: service, triggers, runs, ledger and run lock are the
real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from guestctl.config.config import Config
from guestctl.host import locks
from guestctl.model.plan import RunKind
from guestctl.model.result import RunResult
from guestctl.service.reach import LastLook
from guestctl.service.service import Service, Surroundings
from guestctl.service.stop_profile import Asked, finish_by_profile

from . import loop as virtual
from . import operators
from .behaviour import GuestSpec
from .events import happen
from .host_view import HostView
from .life import Life, noting
from .surroundings import SimDaemons, SimMounts, SimRival, StopNote, WhoRan
from .world import SimHost

#: How long systemd is asked again while nobody answers (the limits of host/systemd.py).
NO_ANSWER = 12.0


class ServedHost(HostView):
    """A host with the service on it.

    preparing, stopping: what logind and systemd say; None where they do not answer.
    kind: in which way systemd is taking the host down, as far as it tells.
    autostart: connections whose autostart is left to guestctl.  ours: see Surroundings.
    auto_shutdown: whether libvirt's own is on.
    fuses: what happens when the next process comes to these points.
    """

    def __init__(self, sim: SimHost, config: Config, state: Path) -> None:
        super().__init__(sim)
        self.config = config
        self.state = state
        self.preparing: bool | None = False
        self.stopping: bool | None = False
        self.kind = ""
        self.autostart: frozenset[str] = frozenset()
        self.mounts = SimMounts(self)
        self.rival = SimRival(self)
        self.ours: frozenset[str] | None = None
        self.stopped = StopNote()
        self.auto_shutdown = False
        #: By when a person said that the host's stop is to be through, on the loop's clock.
        self.stop_by: float | None = None
        self.lives: list[Life] = []
        self.fuses: dict[int, Callable[[], None]] = {}
        self.written: Config | None = None
        self.told_to_end = asyncio.Event()
        self._services: list[Service] = []
        #: The newest process of an operator's command.
        self.operators: Life | None = None
        self._last_alive = float("-inf")
        self.who_ran = WhoRan(self)

    # -- what it is asked ------------------------------------------------------------------------

    async def _pauses_guests(self) -> bool:
        await asyncio.sleep(0)
        return self.auto_shutdown

    async def is_stopping(self) -> bool | None:
        """systemd's answer, which takes its time where there is none."""
        await asyncio.sleep(NO_ANSWER if self.stopping is None else 0)
        return self.stopping

    async def stops(self) -> bool:
        """Whether systemd says that the host does."""
        return bool(await self.is_stopping())

    async def kind_of_stop(self) -> str:
        """systemd's jobs, of which there are none before it stops units."""
        await asyncio.sleep(0)
        return self.kind if self.stopping else ""

    # -- the service -----------------------------------------------------------------------------

    @property
    def life(self) -> Life:
        """The newest process of the service."""
        return self.lives[-1]

    @property
    def service(self) -> Service:
        """The newest one."""
        return self._services[-1]

    def start(self) -> Life:
        """The service begins, and logind says what there is to say."""
        away = asyncio.get_running_loop().time() - self._last_alive
        life = Life(self)
        life.process.fuses, self.fuses = self.fuses, {}
        surroundings = Surroundings(
            context=replace(life.context, hypervisors={}),
            connect=life.process.connect,
            login=life.login,
            triggers=life.triggers,
            stop_timeout=life.stop_timeout,
            lock=life.lock,
            daemons=SimDaemons(self),
            mounts=self.mounts,
            paths=(),
            autostart=self.autostart,
            on_change=lambda: None,
            away=away,
            refresh=self._refresh,
            ours=self.ours,
            rival=self.rival,
            stop_limit=self.stop_limit,
            pauses_guests=self._pauses_guests,
            ran_before=self.who_ran.kept(),
            stop_begins=self.stopped.forget,
            units_were_stopped=self.stopped.said,
        )
        self.lives.append(life)
        self._services.append(Service(surroundings, self.config))
        life.begin(self.service.serve())
        if self.preparing:
            life.triggers.announce("")
        return life

    async def serve(self, seconds: float) -> Life:
        """Start the service, and let it be for a while."""
        life = self.start()
        await asyncio.sleep(seconds)
        return life

    async def restart(self, seconds: float = 5.0) -> Life:
        """As an upgrade does, with the host staying up."""
        await self.terminate()
        return await self.serve(seconds)

    def write(self, config: Config) -> None:
        """The files say something else from now on; the service reads them when it acts."""
        self.written = config

    async def _refresh(self) -> None:
        if self.written is not None:
            self.reload(self.written)
            self.written = None

    def reload(self, config: Config) -> None:
        """The files say something else from now on, and the service is told."""
        self.config = config
        self.service.use(config)

    async def terminate(self) -> None:
        """SIGTERM, and to the end of the process."""
        self.life.triggers.terminate()
        await self.life.ended()
        self.who_ran.keep(self.service.ran)
        self._last_alive = asyncio.get_running_loop().time()

    def kill(self) -> None:
        """SIGKILL to the service."""
        self.who_ran.keep(self.service.ran)
        self.life.kill()
        self._last_alive = asyncio.get_running_loop().time()

    # -- the host's end --------------------------------------------------------------------------

    def announce(self, kind: str = "poweroff") -> None:
        """logind announces a shutdown."""
        self.preparing = True
        if self.lives and not self.life.is_over:
            self.life.triggers.announce(kind)

    def cancel_shutdown(self) -> None:
        """Of which nothing but logind's property tells."""
        self.preparing = False

    async def until_idle(self, activity: str = "down") -> None:
        """Until the service says that this is what it does."""
        while True:
            if self.service.state.activity == activity:
                return
            await asyncio.sleep(0.1)

    async def stop_units(self) -> None:
        """systemd stops the service, if there is one, then the guard."""
        self.stopping = True
        if self.lives and not self.life.is_over:
            await self.terminate()
        await self.guard()

    def begin_guard(self) -> Life:
        """The guard's stop, which does nothing where the host stays up."""
        guard = Life(self)
        guard.process.fuses, self.fuses = self.fuses, {}
        self.stopped.say()
        hypervisors = {uri: guard.process.connect(uri) for uri in self.config.general.uris}
        context = replace(guard.context, hypervisors=hypervisors)
        last_look = LastLook(SimDaemons(self), lambda: True)
        work = finish_by_profile(
            context,
            self.config,
            Asked(self.kind_of_stop, self.stop_limit),
            guard.stop_timeout,
            guard.lock,
            last_look,
            self.mounts,
            self.who_ran.find,
        )
        guard.begin(work)
        self.lives.append(guard)
        return guard

    async def guard(self) -> RunResult | None:
        """From its beginning to its end."""
        if not self.stopping:
            return None
        result = await self.begin_guard().ended()
        return result if isinstance(result, RunResult) else None

    def cut_power(self) -> None:
        """Everything ends, and is as after a boot, but for the service, which is to be started."""
        if self.lives:
            self.kill()
        self.preparing = self.stopping = False
        self.stopped.forget()
        self.who_ran = WhoRan(self)
        self.rival.begin_boot()
        self.sim.reboot()

    async def boot(self, seconds: float = 60.0) -> Life:
        """The host goes down however far it is, boots, and the service brings guests back."""
        self.cut_power()
        return await self.serve(seconds)

    # -- others ----------------------------------------------------------------------------------

    def happen(self, deed: str) -> None:
        """A happening of `events`."""
        happen(self.sim, deed)

    @contextlib.contextmanager
    def operator(self) -> Iterator[None]:
        """Somebody else's run has the lock."""
        with (self.state / "run.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    async def preserve(self, *names: str) -> RunResult:
        """An operator's `guestctl shutdown --preserve`, in a process of its own."""
        return await operators.take_down(self, RunKind.PRESERVE, names)

    async def shut_down(self, *names: str) -> RunResult:
        """An operator's `guestctl shutdown`."""
        return await operators.take_down(self, RunKind.SHUTDOWN, names)

    async def start_by_hand(self, *names: str) -> RunResult:
        """An operator's `guestctl start`."""
        return await operators.bring_up(self, names)

    async def close(self) -> None:
        """The end of the story: no process is left."""
        for life in self.lives:
            if not life.is_over:
                life.kill()
            await life.ended()


Story = Callable[[ServedHost], Awaitable[None]]


def tell(
    story: Story,
    guests: list[GuestSpec],
    config: Config | None = None,
    most: float = virtual.DAY,
) -> None:
    """Have a story happen on a host with these guests."""
    virtual.run(_tell(story, guests, config or Config()), most)


async def _tell(story: Story, guests: list[GuestSpec], config: Config) -> None:
    with SimHost(guests) as sim, tempfile.TemporaryDirectory() as folder:
        host = ServedHost(sim, config, Path(folder))
        for uri in config.general.uris:
            sim.daemon(uri)
        with _around(host):
            try:
                await story(host)
            finally:
                await host.close()


@contextlib.contextmanager
def _around(host: ServedHost) -> Iterator[None]:
    """The journal, and the signal that tells another run to end, reach nobody outside."""

    def tell_to_end(_: Path) -> None:
        host.told_to_end.set()

    with noting(host), patch.object(locks, "_signal_holder", tell_to_end):
        yield
