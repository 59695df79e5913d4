"""Calls over the bus that are under way: who may answer them, and with how much."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from .bus_messages import DRIVER, ERROR, SIGNAL, Header, Message, close_all

#: Bytes of an answer: systemd's list of jobs has some hundred for each.
LONGEST_ANSWER = 1 << 20
#: Characters of a D-Bus error's text that are of use.
_LONGEST_TEXT = 500


class BusError(Exception):
    """A call failed.

    `name` is the D-Bus name of the error; empty when nobody answered it well: no bus, a time limit,
    a connection that ended, an answer of another form.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class Call(NamedTuple):
    """What is called, the unique name of who is to answer, the signature of the answer, and how
    many bytes it may have.
    """

    member: str
    callee: str
    returns: str
    longest: int = LONGEST_ANSWER


_Answer = asyncio.Future[Message]


class _Waiting(NamedTuple):
    call: Call
    answer: _Answer


class Calls:
    """The calls of one connection, by their serial numbers."""

    def __init__(self) -> None:
        self._under_way: dict[int, _Waiting] = {}

    @contextlib.contextmanager
    def under_way(self, serial: int, call: Call) -> Iterator[_Answer]:
        """Where the answer comes: the reply, or BusError."""
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._under_way[serial] = _Waiting(call, answer)
        try:
            yield answer
        except BaseException:
            _discard(answer)
            raise
        finally:
            del self._under_way[serial]

    def wants(self, header: Header) -> bool:
        """Whether a reply is the answer to a call, and to be read."""
        waiting = self._waiting(header.reply_serial)
        if waiting is None or header.sender not in _answerers(waiting.call, header):
            return False
        try:
            _check(waiting.call, header)
        except BusError as error:
            waiting.answer.set_exception(error)
            return False
        return True

    def fail(self, header: Header, why: str) -> None:
        """The body of a message cannot be read."""
        waiting = self._waiting(header.reply_serial)
        if waiting is not None and header.kind != SIGNAL:
            waiting.answer.set_exception(_unreadable(waiting.call, why))

    def answer(self, message: Message) -> None:
        """Hand a reply to who waits for it."""
        header = message.header
        waiting = self._waiting(header.reply_serial)
        if waiting is None or header.kind == ERROR:
            # Without anybody its descriptors are nobody's.
            close_all(message.fds)
        if waiting is None:
            return
        if header.kind == ERROR:
            waiting.answer.set_exception(BusError(header.error_name, _text(message)))
        else:
            waiting.answer.set_result(message)

    def end(self) -> None:
        """There is no connection any more."""
        for _, answer in self._under_way.values():
            if not answer.done():
                error = BusError("", "the connection to the bus has ended")
                answer.set_exception(error)

    def _waiting(self, serial: int) -> _Waiting | None:
        waiting = self._under_way.get(serial)
        return None if waiting is None or waiting.answer.done() else waiting


def check_form(what: str, found: str, expected: str) -> None:
    """BusError where an answer is not of the form that was asked for."""
    if found != expected:
        text = f"{what}: the answer is of the form {found!r} and not {expected!r}"
        raise BusError("", text)


def _check(call: Call, header: Header) -> None:
    if header.size > call.longest:
        raise _unreadable(call, f"{header.size} bytes are too many")
    if header.kind != ERROR:
        check_form(call.member, header.signature, call.returns)


def _unreadable(call: Call, why: str) -> BusError:
    return BusError("", f"{call.member}: the answer cannot be read: {why}")


def _answerers(call: Call, header: Header) -> tuple[str, ...]:
    # The bus itself says that a call could not be delivered.
    return (call.callee, DRIVER) if header.kind == ERROR else (call.callee,)


def _text(error: Message) -> str:
    is_said = error.header.signature.startswith("s")
    return str(error.body[0] if is_said else error.header.error_name)[:_LONGEST_TEXT]


def _discard(answer: _Answer) -> None:
    """Let go of an answer that came as its caller gave up."""
    if not answer.cancel() and not answer.cancelled() and answer.exception() is None:
        close_all(answer.result().fds)
