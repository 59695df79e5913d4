"""The least that saving guests takes: a plain script over libvirt, for comparison.

Run by itself, as `bare.py one-after-another|threads URI UUID…`.
"""

from __future__ import annotations

import sys
import threading

import libvirt


def one_after_another(uri: str, guests: list[str]) -> None:
    """One connection, one save at a time."""
    conn = libvirt.open(uri)
    for guest in guests:
        conn.lookupByUUIDString(guest).managedSave()


def tasks(uri: str, guests: list[str]) -> None:
    """A thread and a connection for each guest."""
    works = [threading.Thread(target=one_after_another, args=(uri, [guest])) for guest in guests]
    for work in works:
        work.start()
    for work in works:
        work.join()


if __name__ == "__main__":
    {"one-after-another": one_after_another, "threads": tasks}[sys.argv[1]](
        sys.argv[2], sys.argv[3:]
    )
