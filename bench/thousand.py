"""A thousand guests of libvirt's test driver: what guestctl adds to the bare calls.

Each measurement is a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import libvirt

from guestctl.cli.display import Display
from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.host import machine
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.storage import HostStorage
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.options import Scope
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import Context, read_all
from guestctl.runs.preserve import preserve

from .common import table, within

GUESTS = 1000
ROUNDS = 3
URI = "test:///default"
GUEST = "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
CONFIGS = {
    "save": Config(),
    "shutdown": Config(shutdown=Shutdown(save=Scope.NONE)),
}


def main() -> None:
    """Measure and print; with arguments, one measurement."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
        return
    for step in CONFIGS:
        found = rounds(step)
        more = (found["guestctl"]["seconds"] - found["bare"]["seconds"]) / GUESTS * 1000
        memory = found["guestctl"]["memory"]
        table(
            f"{GUESTS} guests of the test driver, {step}, median of {ROUNDS}",
            [
                ("bare calls, one after another", f"{found['bare']['seconds']:.2f} s", ""),
                ("guestctl's run", f"{found['guestctl']['seconds']:.2f} s", ""),
                ("more for each guest", f"{more:.2f} ms", within(more, 3, " ms")),
                ("most memory, bare", f"{found['bare']['memory']:.0f} MiB", ""),
                ("most memory, guestctl", f"{memory:.0f} MiB", within(memory, 100, " MiB")),
            ],
        )


def rounds(step: str) -> dict[str, dict[str, float]]:
    """The medians of both ways, each measured in a process of its own, in turns."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "guestctl": []}
    for _ in range(ROUNDS):
        for way, values in found.items():
            values.append(in_child(way, step))
    return {
        way: {key: median(value[key] for value in values) for key in ("seconds", "memory")}
        for way, values in found.items()
    }


def in_child(way: str, step: str) -> Any:
    """One measurement."""
    argv = [sys.executable, "-m", "bench.thousand", way, step]
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)


def measure(way: str, step: str) -> dict[str, float]:
    """Make the guests, take them down, and say how long that took and the most memory used."""
    conn = libvirt.open(URI)
    for number in range(GUESTS):
        conn.defineXML(GUEST.format(f"guest-{number}")).create()
    begun = time.perf_counter()
    {"bare": bare, "guestctl": engine}[way](conn, step)
    taken = time.perf_counter() - begun
    assert conn.numOfDomains() == 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": taken, "memory": memory}


def bare(conn: Any, step: str) -> None:
    """One call for each guest, and no more."""
    for domain in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        domain.managedSave() if step == "save" else domain.shutdown()


def engine(_conn: Any, step: str) -> None:
    """The same through guestctl, with its ledger on the disk."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ledger = LedgerWriter(Path(folder) / "ledger.db", machine.now, print)
        result = asyncio.run(run(ledger, CONFIGS[step]))
        ledger.close()
    outcomes = {guest.outcome for guest in result.guests}
    assert outcomes == {Outcome.SAVED if step == "save" else Outcome.SHUT_DOWN}, outcomes
    assert len(result.guests) >= GUESTS


async def run(ledger: LedgerWriter, config: Config) -> RunResult:
    """Read the guests and preserve them."""
    hypervisors = {URI: LibvirtHypervisor(URI)}
    context = Context(hypervisors, HostStorage(), ledger, Display(), machine.now, "this boot")
    inventory = await read_all(hypervisors)
    return await preserve(context, config, RunKind.PRESERVE, Trigger.COMMAND, inventory)


if __name__ == "__main__":
    main()
