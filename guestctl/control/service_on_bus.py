"""The running service, asked over one connection to the system's bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

from ..host.bus import DRIVER, BusError, Rule, SystemBus
from ..host.bus_interface import Interface, signature_of
from .failure import Failure, RequestError
from .interface import MANAGER, NAME, ROOT, Needs
from .service_errors import UNKNOWN, is_full, other_version, request_error

#: Seconds for an answer: libvirt may be slow to tell the service, a person to tell polkit.
READING, INTERACTIVE = 60.0, 150.0
#: Bytes of an answer: the facts of a thousand guests have two million.
_LONGEST = 64 << 20
#: Seconds for the version, where nothing else could be understood.
_VERSION_LIMIT = 5.0
#: Seconds for it to say that it is there, which takes it no time; who waits may be in a hurry.
_THERE_LIMIT = 3.0
#: Seconds in which a service that has too many calls is asked again, and between two tries.
FULL_LIMIT, _FULL_PAUSE = 5.0, 0.2

T = TypeVar("T")


class Unreadable(Exception):
    """An answer is not of the form that this version knows; the text says why."""


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Unreadable where what is made of an answer here cannot be made of it."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unreadable(str(error) or repr(error)) from error


class ServiceOnBus:
    """The service as the owner of its name; what is asked is held to the tables of the interface.

    Errors are BusError: whether to try again is for who asks to say.
    """

    def __init__(self, bus: SystemBus) -> None:
        self.bus = bus

    async def ask(
        self,
        member: str,
        *arguments: Any,
        path: str = ROOT,
        of: Interface = MANAGER,
        limit: float = READING,
        interactive: bool = False,
    ) -> list[Any]:
        """What a method returns; limit: in seconds.  interactive: polkit may ask the user.

        RequestError for what no message can have: more than it may hold, or no UTF-8.
        """
        method = of.methods_by_name[member]
        call = (NAME, path, of.name, member, signature_of(method.takes), arguments)
        patience = FULL_LIMIT if method.needs == Needs.READ else 0.0
        try:
            return await _once_there_is_room(
                patience,
                lambda: self.bus.call(
                    *call,
                    returns=signature_of(method.returns),
                    timeout=limit,
                    interactive=interactive,
                    longest=_LONGEST,
                ),
            )
        except ValueError as error:
            raise RequestError(Failure.WRONG_REQUEST, f"cannot ask the service: {error}") from error

    async def value(
        self, name: str, path: str = ROOT, of: Interface = MANAGER, limit: float = READING
    ) -> Any:
        """Of a property."""
        signature = of.properties_by_name[name].signature
        return await self.bus.get_property(NAME, path, of.name, name, signature, timeout=limit)

    @contextlib.asynccontextmanager
    async def heard(self, lost: Callable[[], None]) -> AsyncIterator[None]:
        """Meanwhile, lost is called where the connection ends, or who had the name has it no more.

        BusError.
        """

        def changed(body: list[Any]) -> None:
            _, before, _ = body
            if before:  # else the service has just come
                lost()

        closing = asyncio.ensure_future(self.bus.wait_closed())
        closing.add_done_callback(lambda _: lost())
        try:
            rule = Rule(DRIVER, DRIVER, "NameOwnerChanged", "sss", arg0=NAME)
            await self.bus.subscribe(rule, changed)
            yield
        finally:
            closing.cancel()

    async def version(self) -> str:
        """Of the service; a word in its place where it does not say."""
        try:
            return str(await self.value("Version", limit=_VERSION_LIMIT))
        except BusError:
            return "of an unknown version"


async def _once_there_is_room(patience: float, call: Callable[[], Awaitable[T]]) -> T:
    """The call, again while the service has too many; for what only reads: no harm is done twice.

    patience: for so many seconds.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await call()
        except BusError as error:
            if not is_full(error) or asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(_FULL_PAUSE)


@contextlib.asynccontextmanager
async def reached() -> AsyncIterator[ServiceOnBus]:
    """A connection of one's own; BusError."""
    bus = await SystemBus.connect()
    try:
        yield ServiceOnBus(bus)
    finally:
        bus.close()


def is_there() -> bool:
    """Whether the service has its name on the bus, and answers."""
    try:
        asyncio.run(_ping())
    except (BusError, TimeoutError):
        return False
    return True


async def _ping() -> None:
    async with asyncio.timeout(_THERE_LIMIT), reached() as service:
        await service.bus.call(NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping", returns="")


def ask_service(work: Callable[[ServiceOnBus], Awaitable[T]], *, acts: bool = False) -> T:
    """Do the work in an event loop of its own; RequestError.

    acts: whether a call of it that nobody answered may have been carried out.
    """
    try:
        return asyncio.run(_asked(work))
    except BusError as error:
        raise request_error(error, acts=acts) from error


async def _asked(work: Callable[[ServiceOnBus], Awaitable[T]]) -> T:
    async with reached() as service:
        try:
            return await work(service)
        except Unreadable as error:
            raise other_version(await service.version(), str(error)) from error
        except BusError as error:
            if error.name not in UNKNOWN:
                raise
            raise other_version(await service.version(), str(error)) from error
