"""Calls from the bus, from their headers to their answers; whatever comes, it is one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from .bus_callers import Caller, Callers, Place
from .bus_errors import CallError, Standard
from .bus_messages import ALLOW_INTERACTIVE_AUTHORIZATION, Header, Message, close_all
from .bus_objects import Exported, Target, find
from .bus_outbox import Outbox
from .bus_standard import StandardMethods
from .bus_trouble import OnceInAWhile
from .bus_unread import Unread


class Answering:
    """The calls of one connection to the bus.

    None of its methods raises anything: a connection would end over it.
    """

    def __init__(
        self,
        exported: Exported,
        callers: Callers,
        unread: Unread,
        outbox: Outbox,
        trouble: OnceInAWhile,
    ) -> None:
        self._exported = exported
        self._standard = StandardMethods(exported)
        self._callers = callers
        self._unread = unread
        self._outbox = outbox
        self._trouble = trouble
        #: What is cancelled when the connection ends or its caller leaves, and what goes on.
        self._for_the_caller: dict[asyncio.Task[None], Place] = {}
        self._for_its_own_sake: set[asyncio.Task[None]] = set()

    def accepts(self, call: Header) -> bool:
        """Whether it is to be read; it is answered where not."""
        if not call.sender.startswith(":"):
            return False  # nobody calls who could be answered
        try:
            find(self._exported, call)
            self._callers.check_room(call.sender)
        except Exception as error:  # noqa: BLE001 - of the exporter's
            self._refuse(call, error)
            return False
        return True

    def unreadable(self, call: Header, why: str) -> None:
        """What was accepted has a body that is none."""
        self._refuse(call, CallError(Standard.INVALID_ARGS, f"the arguments cannot be read: {why}"))

    def begin(self, message: Message) -> None:
        """See to a call that was accepted."""
        close_all(message.fds)
        call = message.header
        try:
            target = find(self._exported, call)
        except Exception as error:  # noqa: BLE001 - of the exporter's
            self._refuse(call, error)
            return
        place = self._callers.begun(call.sender)
        task = asyncio.get_running_loop().create_task(self._answer(message, target, place))
        self._for_the_caller[task] = place
        task.add_done_callback(lambda task: self._ended(task, place))

    def left(self, name: str) -> None:
        """That connection has left the bus: its calls make room for others at once.

        What has begun to change something goes on, and keeps its place.
        """
        for task, place in self._for_the_caller.items():
            if place.name == name:
                self._callers.ended(place)
                task.cancel()
        self._callers.left(name)
        self._unread.left(name)

    def end(self) -> None:
        """Nobody waits for an answer any more."""
        for task in self._for_the_caller:
            task.cancel()

    def _ended(self, task: asyncio.Task[None], place: Place) -> None:
        self._callers.ended(place)
        self._for_the_caller.pop(task, None)
        self._for_its_own_sake.discard(task)

    async def _answer(self, message: Message, target: Target, place: Place) -> None:
        call = message.header
        try:
            values = await self._values(call, target, message.body, place)
            if values is not None:
                self._outbox.reply(call, target.method, values)
        except asyncio.CancelledError:
            if not place.is_free:
                self._refuse(call, CallError(Standard.FAILED, "the call was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 - of the exporter's
            self._refuse(call, error)

    async def _values(
        self, call: Header, target: Target, arguments: list[Any], place: Place
    ) -> Sequence[Any] | None:
        """What it returns; None where nobody is there any more who could have it."""
        is_interactive = bool(call.flags & ALLOW_INTERACTIVE_AUTHORIZATION)
        # Whoever waited in vain for a service that hung may have done it in another way.
        acts = not target.is_standard and self._acts(call, target)
        caller = await self._callers.identify(call.sender, interactive=is_interactive, anew=acts)
        if caller is None:
            return None
        self._callers.count(place, caller.uid)
        if not await self._unread.has_room(caller.name):
            text = "answers are not read: too many wait for this connection, or this user"
            raise CallError(Standard.LIMITS_EXCEEDED, text)
        if target.is_standard:
            return await self._standard.call(caller, call.path, target.method.name, arguments)
        return await self._result(caller, call, target, arguments)

    async def _result(
        self, caller: Caller, call: Header, target: Target, arguments: list[Any]
    ) -> Sequence[Any]:
        interface, method = target
        needs = self._exported.needs(call.path, interface, method)
        if needs:
            await self._exported.allow(caller, needs)
        if self._acts(call, target):
            self._goes_on_alone()
        return await self._exported.call(caller, call.path, interface, method, arguments)

    def _acts(self, call: Header, target: Target) -> bool:
        """Whether it does more than read."""
        needs = self._exported.needs(call.path, target.interface, target.method)
        return needs not in ("", target.interface.needs)

    def _goes_on_alone(self) -> None:
        task: Any = asyncio.current_task()
        self._for_the_caller.pop(task, None)
        self._for_its_own_sake.add(task)

    def _refuse(self, call: Header, error: Exception) -> None:
        """Answer with that; where it is a fault of ours its words are for the journal."""
        if not isinstance(error, CallError):
            what = f"{call.interface}.{call.member}"
            why = f"{what} called by {call.sender} was not answered: {error!r:.500}"
            self._trouble.tell(f"{what} {type(error).__name__}", why, error)
            error = CallError(
                Standard.FAILED, "an internal error: the journal of the service has it"
            )
        self._outbox.error(call, error)
