"""A command answers the same by the service and by itself: word for word, with the same status."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from tests.host.doctor import OWN_LOOK, SEEN
from tests.host.service import wait_watching
from tests.host.stage import FEW
from tests.host.support import runs
from tests.testbed.commands import Result
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
HELD, OFF, ONE = FEW.saved
URI = "qemu:///system"
BY_SERVICE, BY_ITSELF = "guestctl", f"guestctl -c {URI}"
LOOKS = (
    *("list", "list --json", "list -o wide", "list -o name", "list --held", "list --problems"),
    *("list 'guest *' --json", "list nobody", "list --state running"),
    *("status --json", f"status '{ONE}'", "status nobody"),
    *(f"why '{ONE}'", f"why --json '{HELD}'", "why nobody"),
    *("history --json", f"history --json -n 2 '{ONE}'", "history -n 1", "history nobody"),
    *("plan", "plan --json", "plan --json --within 20s", f"plan '{ONE}'", "plan nobody"),
    *("plan --boot", "plan --boot --json", "plan --profile nobody"),
    *(f"shed --dry-run '{ONE}'", f"shed --dry-run --json '{ONE}'", "shed --dry-run --order 1"),
    *(f"policy '{ONE}'", "policy nobody"),
)
#: None of them finds what it is to act on.
FAILS = (
    *("shutdown nobody", "shutdown --preserve nobody", f"shutdown '{ONE}' nobody"),
    *("shutdown --preserve --profile nobody", "start nobody", "start --run 99999"),
    *("shed", "shed nobody", "shed --profile nobody", "resume nobody"),
    *("hold nobody", "release nobody", "forget nobody", f"forget '{ONE}'"),
    *("policy nobody --set save=none", f"policy '{ONE}' --set save=never"),
    *("shutdown", "hold", "start --run nothing"),
)


def told(host: Host, way: str, words: str) -> tuple[int, Any, list[str]]:
    """Status, stdout without what passes with time, lines of stderr in any order."""
    done = host.run(f"{way} {words}", check=False)
    return done.returncode, timeless(done.stdout), sorted(done.stderr.splitlines())


def timeless(text: str) -> Any:
    """Without how long ago something was, and how long it took."""
    try:
        return without(json.loads(text), ("seconds", "read"))
    except ValueError:
        return re.sub(r"\d+ ?(s|min|h) ago|\bjust now\b", "…", text)


def without(value: Any, keys: tuple[str, ...]) -> Any:
    """JSON without these fields, wherever they are."""
    if isinstance(value, dict):
        return {key: without(it, keys) for key, it in value.items() if key not in keys}
    return [without(it, keys) for it in value] if isinstance(value, list) else value


def test_what_only_looks_and_what_fails(host: Host) -> None:
    host.run(["guestctl", "hold", "--reason", "its disk", HELD])
    host.run(["guestctl", "shutdown", OFF])
    wait_watching(host)
    wait_until(host.path(SEEN).exists, OWN_LOOK, "the service's own look")
    before = runs(host)
    for words in (*LOOKS, *FAILS):
        # Both show the same moment unless it passes in between.
        assert told(host, BY_SERVICE, words) == told(host, BY_ITSELF, words), words
    assert runs(host) == before
    host.run(["guestctl", "release", HELD])


def test_holds(host: Host) -> None:
    """Held, released, held twice, released twice: the words are the same."""
    ways = [BY_SERVICE, BY_ITSELF]
    steps = ("hold", "hold --reason 'its disk'", "release", "release")
    said = [[told(host, way, f"{step} {shlex.quote(ONE)}") for step in steps] for way in ways]
    assert said[0] == said[1]
    assert [status for status, *_ in said[0]][:3] == [0, 0, 0]


def test_runs(host: Host) -> None:
    """Off and on again, saved and resumed, by the number of a run: the same results."""
    ways = [BY_SERVICE, BY_ITSELF]
    assert went(host, ways[0]) == went(host, ways[1])
    newest = runs(host)[: 2 * RUNS]
    commands = [run["command"].replace(BY_ITSELF, BY_SERVICE) for run in newest]
    typed = [re.sub(r"--run \d+", "--run N", command) for command in commands]
    assert typed[:RUNS] == typed[RUNS:]


#: In a round.
RUNS = 5


def went(host: Host, way: str) -> list[Any]:
    """What comes of a round of them."""
    name = shlex.quote(ONE)
    results = [
        host.run(f"{way} shutdown --json {name}", check=False),
        host.run(f"{way} start --json {name}", check=False),
        host.run(f"{way} shutdown --preserve --json --reason 'so it is' {name}", check=False),
        host.run(f"{way} start --json --run {runs(host)[0]['id']}", check=False),
        host.run(f"{way} start --json", check=False),
    ]
    return [outcome(result) for result in results]


def outcome(result: Result) -> tuple[int, Any, str]:
    """Without the number of the run."""
    assert json.loads(result.stdout)["run"] is not None
    return result.returncode, without(json.loads(result.stdout), ("seconds", "run")), result.stderr
