"""Who may do what over the bus, on a real host: its bus, its polkit, its users."""

from __future__ import annotations

import pytest

from guestctl.control.interface import NAME, Needs
from tests.host.stage import FEW
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts
CAST = FEW

ACTIONS = {need.action for need in Needs if need is not Needs.READ}
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--")
#: Without waiting for it, should somebody have it.
TAKE_THE_NAME = (
    *("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"),
    *("RequestName", "su", NAME, "4"),
)
DEFAULTS = ["auth_admin_keep"] * 3


def test_polkit_knows_the_actions(host: Host) -> None:
    known = host.run("pkaction").stdout.split()
    assert {each for each in known if each.startswith(f"{NAME}.")} == ACTIONS
    for action in ACTIONS:
        said = host.run(["pkaction", "--verbose", "--action-id", action]).stdout
        rows = [line.partition(":")[::2] for line in said.splitlines()[1:]]
        found = {key.strip(): value.strip() for key, value in rows}
        assert [found[f"implicit {who}"] for who in ("any", "inactive", "active")] == DEFAULTS
        assert found["message"].startswith("Authentication is required to")


def test_only_root_can_be_the_service(host: Host) -> None:
    """It runs meanwhile, or does not: what is refused is refused before that is looked at."""
    refused = host.run([*AS_NOBODY, *TAKE_THE_NAME], check=False)
    assert refused.returncode
    assert "not allowed to own" in refused.stderr or "Access denied" in refused.stderr
    kind, answer = host.run(TAKE_THE_NAME).stdout.split()
    assert (kind, answer) in {("u", "1"), ("u", "3")}  # it is root's now, or another's
