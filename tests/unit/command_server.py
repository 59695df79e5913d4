"""Runs commands in forks of one process that has guestctl imported: most of a command's time.

Each is a process of its own, with the user, the environment and the connections of its own, as if
its interpreter had just begun.  Given to the interpreter as text: the user may not read tests.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys

#: An order, and the file descriptors of its standard output and errors.
LONGEST, STREAMS = 1 << 20, 2


def serve(path: str) -> None:
    """Until standard input is closed, as nobody's child: those of a test are looked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        if os.fork():
            os._exit(0)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            conn, _ = listener.accept()
            with conn:
                if not os.fork():
                    listener.close()
                    _answer(conn)
    os.unlink(path)


def _answer(conn: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order, streams, _, _ = socket.recv_fds(conn, LONGEST, STREAMS)
    if child := os.fork():
        conn.sendall(str(_end_of(child, conn)).encode())
        os._exit(0)
    conn.close()
    _become(streams, **json.loads(order))
    from guestctl.cli.main import entry

    entry()


def _end_of(child: int, conn: socket.socket) -> int:
    """Its status; it is killed where nobody waits for it any more."""
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, conn.fileno()], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(streams: list[int], argv: list[str], cwd: str, env: dict[str, str]) -> None:
    for number, stream in enumerate([os.open(os.devnull, os.O_RDONLY), *streams]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = argv


def _import_all() -> None:
    import guestctl

    for module in pkgutil.walk_packages(guestctl.__path__, "guestctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _import_all()
    serve(sys.argv[1])
