"""Who uses the service: programs by its interface as documented, users by the command."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest

from guestctl.control.interface import INTERFACES
from tests.command import PROJECT
from tests.host.cases import PRESS
from tests.host.on_bus import GUEST, MANAGER, NAME, ROOT, call, get
from tests.host.stage import FEW
from tests.host.support import image, look, newest_run, runs, went_on
from tests.testbed.commands import Result
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
ONE, TWO, THREE = FEW.saved
PAGE = PROJECT / "docs/reference/dbus.md"
PROGRAM = "preserve_and_follow.py"
SHOWN = "/var/tmp/shown.jsonl"


def test_it_tells_of_itself(host: Host) -> None:
    """All that is in the tables, to everybody."""
    objects = {
        f"{NAME}.Manager": ROOT,
        f"{NAME}.Guest": call(host, ROOT, MANAGER, "GetGuest", "s", ONE)[0],
    }
    for interface in INTERFACES[:2]:
        path = objects[interface.name]
        shown = as_user(host, "busctl", "introspect", NAME, path, interface.name).stdout
        members = {line.split()[0].removeprefix(".") for line in shown.splitlines()[1:]}
        assert members == {
            *interface.methods_by_name,
            *interface.properties_by_name,
            *interface.signals_by_name,
        }


def test_the_commands_of_the_page(host: Host) -> None:
    """Those that anybody may type."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = "".join(blocks).splitlines()
    commands = [line[2:] for line in lines if line.startswith("$ busctl")]
    assert len(commands) >= 4
    for command in commands:
        done = as_user(host, "sh", "-c", command)
        assert (done.returncode, bool(done.stdout)) == (0, True), (command, done.stderr)


def test_its_words_are_those_of_the_command(host: Host) -> None:
    rows = json.loads(host.run(["guestctl", "list", "--json"]).stdout)
    (found,) = call(host, ROOT, MANAGER, "ListGuests")
    keys = ("name", "uuid", "uri", "state", "wanted", "next_boot", "held")
    assert [tuple(it[:7]) for it in found] == [
        tuple(row[key] or "" for key in keys) for row in rows
    ]
    for name, _, _, state, *_, path in found:
        assert call(host, ROOT, MANAGER, "GetGuest", "s", name) == [path]
        assert get(host, path, GUEST, "State") == state
    assert set(get(host, ROOT, MANAGER, "GuestsUp")) == set(CAST.names)
    assert get(host, ROOT, MANAGER, "InhibitorHeld") is True


def test_the_program_of_the_page(host: Host) -> None:
    """It has a guest saved, and tells of that as it happens."""
    before = look(host, [ONE])
    shutil.copy(PROJECT / "examples" / PROGRAM, host.root / "var/tmp")
    said = host.run(["python3", f"/var/tmp/{PROGRAM}", ONE])
    print(said.stdout, said.stderr)
    assert image(host, ONE).exists()
    run = newest_run(host)
    assert (run["user"], run["ok"]) == ("root", True)
    assert [guest["outcome"] for guest in run["guests"].values()] == ["saved"]
    assert ONE in said.stdout
    host.run(["guestctl", "start", ONE])
    assert went_on(host, ONE, before.ticks[ONE])


def as_user(host: Host, *command: str) -> Result:
    """The command of somebody who is not root, whom the host has no rule for."""
    return host.run(["runuser", "-u", "nobody", "--", *command], check=False)


def test_a_user_sees_what_root_sees(host: Host) -> None:
    host.run(["guestctl", "hold", "--reason", "its disk", ONE])
    looks = [
        ["list", "--json"],
        ["why", "--json", ONE],
        ["history", "--json"],
        ["plan", "--json"],
        ["plan", "--boot", "--json"],
        ["list", "--problems"],
    ]
    for words in looks:
        seen = as_user(host, "guestctl", *words)
        all_of_it = host.run(["guestctl", *words], check=False)
        assert (seen.returncode, seen.stdout) == (all_of_it.returncode, all_of_it.stdout), words
        assert seen.stderr == all_of_it.stderr
    status = json.loads(as_user(host, "guestctl", "status", "--json").stdout)
    assert status["wanted"] == {"on": len(CAST.names), "off": 0, "held": 1}
    assert [problem["name"] for problem in status["problems"]] == [ONE]
    assert status["last_run"] is not None
    host.run(["guestctl", "release", ONE])


def test_a_user_is_told_of_what_happens(host: Host) -> None:
    watch = host.popen(f"exec runuser -u nobody -- guestctl watch --json >{SHOWN} 2>{SHOWN}.err")
    seen, said = (host.root / f"{SHOWN}{end}".lstrip("/") for end in ("", ".err"))
    wait_until(lambda: said.exists() and "connected" in said.read_text(), 30, "a subscriber")
    PRESS(host, TWO)
    wait_until(lambda: '"administrator"' in seen.read_text(), 60, "verdict for a user")
    watch.terminate()
    assert TWO in seen.read_text()


ACTS = {
    f"shutdown '{ONE}'": "shutdown",
    "shutdown --preserve": "shutdown",
    f"start '{ONE}'": "start",
    f"hold '{ONE}'": "hold",
    f"policy '{ONE}' --set save=none": "policy",
    "reload": "policy",
}


def test_a_user_may_not_act(host: Host) -> None:
    """And is told what it takes."""
    newest = runs(host)[0]
    for words, action in ACTS.items():
        refused = as_user(host, "guestctl", *shlex.split(words))
        assert (refused.returncode, refused.stdout) == (3, ""), words
        assert f"org.guestctl1.{action}" in refused.stderr
    assert runs(host)[0] == newest
