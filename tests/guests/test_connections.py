"""Connections that cannot be used, and saves with and without the host's page cache."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Guestctl
from tests.testbed.session import SessionDaemon

from .support import URI, by_name, last_tick, quoted, steps, trail, went_on

pytestmark = pytest.mark.guests

NOBODY = "qemu+unix:///session?socket=/nonexistent/libvirt-sock"


def configured(
    guestctl: Guestctl, uris: list[str], verb: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the command on the connections of its configuration, without -c."""
    guestctl.configure(f"uris = [{', '.join(map(quoted, uris))}]\n")
    argv = guestctl.argv(verb, *arguments)
    option = argv.index("-c")
    return guestctl.daemon.run(argv[:option] + argv[option + 2 :], check=False)


def test_one_of_two_cannot_be_reached(daemon: SessionDaemon, web: str, guestctl: Guestctl) -> None:
    """The other's guests are taken to safety, and it does not end as if all were well."""
    before = last_tick(daemon, web)
    result = configured(guestctl, [NOBODY, URI], "shutdown", "--preserve")
    assert result.returncode == 1
    assert f"cannot connect to {NOBODY}" in result.stderr
    assert f"{web}: saved after" in result.stdout
    assert configured(guestctl, [NOBODY, URI], "list", "--json").returncode == 1
    result = configured(guestctl, [NOBODY, URI], "start")
    assert result.returncode == 1
    assert f"cannot connect to {NOBODY}" in result.stderr
    assert went_on(daemon, web, before)


def test_none_can_be_reached(guestctl: Guestctl) -> None:
    for verb in (["shutdown", "--preserve"], ["start"], ["plan"], ["list"]):
        result = configured(guestctl, [NOBODY], *verb)
        assert result.returncode == 4
        assert f"cannot connect to {NOBODY}" in result.stderr


def test_other_hosts_are_refused(guestctl: Guestctl) -> None:
    for verb in (["shutdown", "--preserve", "--strict"], ["start"]):
        result = configured(guestctl, ["qemu+ssh://elsewhere/system"], *verb)
        assert result.returncode == 2
        assert "ssh" in result.stderr


@pytest.mark.parametrize("bypass", ["true", "false"])
def test_with_and_without_the_hosts_cache(
    daemon: SessionDaemon, web: str, guestctl: Guestctl, bypass: str
) -> None:
    caches = f"[shutdown]\nbypass-cache = {bypass}\n[boot]\nbypass-cache = {bypass}\n"
    guestctl.configure(caches)
    before = last_tick(daemon, web)
    guest = by_name(guestctl.json("shutdown", "--preserve", web))[web]
    assert steps(guest) == {"save": "done"}
    result = by_name(guestctl.json("start", web))
    assert steps(result[web]) == {"resume": "done"}
    assert trail(guestctl, web)[-1].startswith("resume done")
    assert went_on(daemon, web, before)
