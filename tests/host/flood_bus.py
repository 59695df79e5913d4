"""A user who asks org.guestctl1 for more than anybody could answer; run on a host, as that user.

Prints a line for each round in which something was sent, until it is ended.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.host.fuzz_bus import NAME, ROOT, Call, Dice, methods, put
from tests.host.hostile import Connection

MANAGER = f"{NAME}.Manager"
DEAR = [Call(ROOT, MANAGER, name) for name in ("GetFacts", "GetStatus", "ListGuests")]
SUBSCRIBE = Call(ROOT, MANAGER, "Subscribe")
BURST = 300
sent: Counter[Callable[[], None]] = Counter()


def greedy() -> None:
    """Asks for what costs most, faster than it could be answered, and then reads."""
    connection = Connection(2)
    for call in itertools.islice(itertools.cycle(DEAR), BURST):
        put(connection, call)
        sent[greedy] += 1
    while True:
        connection.receive()


def mute() -> None:
    """Asks and is told of signals, and never reads, until the bus takes no more from it."""
    connection = Connection(2)
    put(connection, SUBSCRIBE)
    for call in itertools.cycle(DEAR):
        put(connection, call)
        sent[mute] += 1


def crowd() -> None:
    """Many connections that come, subscribe, ask once and go."""
    connections = [Connection(5) for _ in range(40)]
    for connection in connections:
        put(connection, SUBSCRIBE)
        put(connection, DEAR[0])
        sent[crowd] += 1
    time.sleep(0.5)


def babble() -> None:
    """Bad calls, as fast as the bus takes them."""
    connection = Connection(10)
    dice = Dice(time.time_ns(), list(methods(connection)))
    connection.socket.settimeout(2)
    for _ in range(BURST):
        put(connection, dice.call())
        sent[babble] += 1
    while True:
        connection.receive()


def again_and_again(way: Callable[[], None]) -> None:
    """Each round ends in an error: nothing is left to read, or the bus threw it out."""
    while True:
        before = sent[way]
        try:
            way()
        except (OSError, EOFError, AssertionError):
            time.sleep(0.05)
        if sent[way] > before:
            print(way.__name__, flush=True)


if __name__ == "__main__":
    for chosen in (greedy, mute, crowd, babble):
        threading.Thread(target=again_and_again, args=(chosen,)).start()
