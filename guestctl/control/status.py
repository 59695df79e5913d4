"""What `status` tells: what is wrong, the service, what would trigger it, connections, runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any, NamedTuple

from ..decisions.health import (
    held_for_save,
    of_auto_shutdown,
    of_damaged,
    of_hook,
    of_host,
    of_ledger,
)
from ..decisions.host_facts import rows_of
from ..host.hooks import daemons_without_hook
from ..host.libvirt import auto_shutdown, autostart
from ..ledger.ledger import Ledger
from ..model.history import PastGuest, PastRun
from ..model.host_units import GUARD
from ..model.overview import Row
from ..model.plan import RunKind
from ..model.record import GuestRecord
from . import queries
from .doctor import findings_file
from .facts import matches_of_nobody
from .gathering import gather
from .host_units import ask
from .local import Local
from .replies import PastRunInFull, Problems, Status, finding_json
from .service_said import said_by_service

#: How long guests are asked for, in seconds: who watches a host does not wait for ever.
LIMIT = 10.0
#: So many runs back the newest of a kind is looked for.
_FAR = 100


class _Recorded(NamedTuple):
    """What the ledger says: the newest runs, who came out how of the newest of each kind."""

    runs: list[PastRun]
    newest: list[tuple[PastRun, list[PastGuest]]]
    wanted: dict[str, int]


_NOTHING = _Recorded([], [], {"on": 0, "off": 0, "held": 0})


def status(local: Local, *, hosts_files: bool) -> Status:
    """How it is now; hosts_files: whether the configuration of local is the host's."""
    words, facts = ask(), gather(local, LIMIT)
    service, seen = said_by_service(local, words, hosts_files), facts.sees_all
    recorded = _ask(local)
    under_way = _under_way(recorded, local)
    rows = rows_of(facts)
    findings = [
        *of_host(service, words, facts.lost),
        *of_auto_shutdown(auto_shutdown.switched_on()),
        *of_ledger(facts, str(local.ledger_path)),
        *queries.wrong_with(facts, rows, _newest(recorded, under_way)),
        *of_hook(daemons_without_hook(), held_for_save(facts)),
        *map(of_damaged, map(str, local.damaged_ledgers())),
    ]
    values = {
        "problems": [finding_json(finding) for finding in findings],
        "service": service,
        "guard": words.active(GUARD),
        "inhibit_delay": words.delay,
        "owns_autostart": list(autostart.claimed()),
        "unmatched": matches_of_nobody(facts),
        "wanted": recorded.wanted if seen else None,
        "doctor": _doctor(local),
        "shed": _shed(rows) if seen else [],
        **_runs(recorded, under_way),
    }
    return Status(values, findings, seen, local.sees_all)


def _doctor(local: Local) -> dict[str, int] | None:
    """When the doctor looked last, and how much it found."""
    if (last := findings_file.read(local.run_folder)) is None:
        return None
    return {"at": last.at, "errors": last.count("error"), "warnings": last.count("warning")}


def newest_runs(local: Local) -> list[tuple[PastRun, list[PastGuest]]]:
    """The newest run of each kind that is over, and what became of whom."""
    recorded = _ask(local)
    under_way = _under_way(recorded, local)
    return [(run, guests) for run, guests in recorded.newest if run != under_way]


def _shed(rows: Collection[Row]) -> list[dict[str, Any]]:
    keys = ("name", "uuid", "uri")
    return [
        {**{key: getattr(row, key) for key in keys}, "since": row.stopped_at, "reason": row.shed}
        for row in rows
        if row.shed is not None
    ]


def _ask(local: Local) -> _Recorded:
    return local.ask_ledger(_recorded, _NOTHING) if local.sees_all else _NOTHING


def problems(local: Local) -> Problems:
    """What is wrong with guests."""
    facts, recorded = gather(local), _ask(local)
    return queries.problems(facts, _newest(recorded, _under_way(recorded, local)))


def _newest(recorded: _Recorded, under_way: PastRun | None) -> list[PastRunInFull]:
    return [PastRunInFull(run, guests, [], run == under_way) for run, guests in recorded.newest]


def _recorded(ledger: Ledger) -> _Recorded:
    runs = ledger.runs.newest(_FAR)
    newest = []
    for kind in (RunKind.PRESERVE, RunKind.RESTORE):
        for run in [run for run in runs if run.kind is kind][:1]:
            newest.append((run, ledger.runs.guests(run.id)))
    return _Recorded(runs[:2], newest, _wanted(ledger.guests().values()))


def _wanted(records: Collection[GuestRecord]) -> dict[str, int]:
    count = Counter(str(record.wanted) for record in records if record.wanted is not None)
    held = sum(record.hold is not None for record in records)
    return {"on": count["on"], "off": count["off"], "held": held}


def _under_way(recorded: _Recorded, local: Local) -> PastRun | None:
    newest = recorded.runs[0] if recorded.runs else None
    return newest if newest and newest.ended is None and local.lock.is_held() else None


def _runs(recorded: _Recorded, under_way: PastRun | None) -> dict[str, Any]:
    past = [run for run in recorded.runs if run != under_way]
    return {
        "current_run": asdict(under_way) if under_way else None,
        "last_run": asdict(past[0]) if past else None,
    }
