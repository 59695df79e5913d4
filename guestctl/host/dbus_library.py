"""The library that speaks D-Bus, where it is of use as it is and where it is not.

dbus-next and its maintained fork dbus-fast share the part used here (Message, handlers for
messages, the bus for asyncio), so that changing over is a matter of the import below.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .bus_messages import Header, MessageReader, Raw, close_all


@contextlib.contextmanager
def _not_to_be_found(module: str) -> Iterator[None]:
    before = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]  # importlib's way to say so
    try:
        yield
    finally:
        del sys.modules[module]
        if before is not None:
            sys.modules[module] = before


# dbus-next imports its side for GLib as well, and with it GLib where there is one: more than a
# megabyte for nothing, and time that the guard of a host that goes down does not have.
with _not_to_be_found("gi"):
    from dbus_next import Message, MessageFlag, MessageType
    from dbus_next import Variant as Variant
    from dbus_next._private.unmarshaller import Unmarshaller
    from dbus_next.aio import MessageBus

#: A bus answers each step of the authentication in one short line.
_LONGEST_LINE = 4096
#: Seconds for the socket to be connected.
_CONNECT_LIMIT = 5.0


class Library(MessageBus):  # type: ignore[misc]  # the library has no types
    """The library's bus, where it would block or spin the event loop, or read too much."""

    def __init__(
        self,
        address: str,
        *,
        negotiate_unix_fd: bool,
        wants: Callable[[Header], bool] = lambda _: True,
        on_unreadable: Callable[[Header, str], None] = lambda _, __: None,
    ) -> None:
        """wants: whether a message is to be read; on_unreadable: it was, and the body is wrong."""
        self._wants, self._on_unreadable = wants, on_unreadable
        self._messages: MessageReader | None = None
        # It connects in here, and blocks in it: with a bus that hangs, once its queue of
        # connections is full.  With a time limit Linux refuses at once (EAGAIN).
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(_CONNECT_LIMIT)
        try:
            super().__init__(bus_address=address, negotiate_unix_fd=negotiate_unix_fd)
        except BaseException:
            self.release()
            raise
        finally:
            socket.setdefaulttimeout(before)

    async def _auth_readline(self) -> str:
        """One line of the authentication.

        dbus-next 0.2.3 and dbus-fast 2.0 take the end of the stream for an empty piece of the
        line and ask for the next one for ever, without once letting the event loop go on.
        """
        line = b""
        while not line.endswith(b"\r\n"):
            piece = await asyncio.get_running_loop().sock_recv(self._sock, 512)
            if not piece or len(line) > _LONGEST_LINE:
                raise EOFError("the bus closed the connection during authentication")
            line += piece
        return line[:-2].decode()

    def _message_reader(self) -> None:
        """Hand over what has come (the event loop calls this)."""
        if self._messages is None:
            self._messages = MessageReader(self._sock, self._is_wanted)
        try:
            for raw in self._messages.read():
                self._take(raw)
                if self._sock.fileno() < 0:  # whoever had it has closed the connection
                    return
        except Exception as error:  # noqa: BLE001 - as in the library: whatever it is, it is the end
            self._finalize(error)

    def _is_wanted(self, header: Header) -> bool:
        # Nobody else can write to us before the bus has told us our name.
        return self.unique_name is None or self._wants(header)

    def _take(self, raw: Raw) -> None:
        try:
            message = _parsed(raw.data)
        except Exception as error:  # noqa: BLE001 - it raises whatever it stumbles over
            close_all(raw.fds)
            self._on_unreadable(raw.header, str(error) or repr(error))
            return
        message.unix_fds = raw.fds
        self._on_message(message)

    def release(self) -> None:
        """Close the socket, now: the library leaves that to the garbage collector."""
        if self._messages is not None:
            self._messages.close()
        sock, stream = getattr(self, "_sock", None), getattr(self, "_stream", None)
        if sock is not None and sock.fileno() >= 0:
            with contextlib.suppress(RuntimeError):  # outside of a loop nobody listens
                asyncio.get_running_loop().remove_reader(sock.fileno())
                asyncio.get_running_loop().remove_writer(sock.fileno())
        for each in (stream, sock):
            if each is not None:
                with contextlib.suppress(OSError, ValueError):
                    each.close()


def _parsed(data: bytes) -> Any:
    message = Unmarshaller(io.BytesIO(data)).unmarshall()
    # Of an empty body the library makes no values, whatever values there should be.
    if len(message.body) != len(message.signature_tree.types):
        raise ValueError("it has no body")
    return message


def unwrap(value: Any) -> Any:
    """The value with plain values in place of variants, at any depth."""
    if isinstance(value, Variant):
        return unwrap(value.value)
    if isinstance(value, list):
        return [unwrap(each) for each in value]
    if isinstance(value, dict):
        return {key: unwrap(each) for key, each in value.items()}
    return value


def method_call(
    destination: str, path: str, interface: str, member: str, signature: str, body: Sequence[Any]
) -> Any:
    """A message that calls a method, and starts no service."""
    return Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        flags=MessageFlag.NO_AUTOSTART,
        signature=signature,
        body=list(body),
    )


def is_signal(message: Any) -> bool:
    """Whether a message is a signal."""
    return bool(message.message_type is MessageType.SIGNAL)


def is_error(message: Any) -> bool:
    """Whether a message is the reply to a call that failed."""
    return bool(message.message_type is MessageType.ERROR)


def signature_of(value: Any) -> str:
    """The signature of what a variant holds; empty for anything else."""
    return str(value.signature) if isinstance(value, Variant) else ""
