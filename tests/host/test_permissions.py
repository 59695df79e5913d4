"""Who may do what over the bus, on a real host: its bus, its polkit, its users."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from guestctl.control.interface import NAME, Needs
from tests.command import PROJECT
from tests.host.stage import FEW
from tests.host.support import image, listed, look, newest_run, went_on
from tests.host.terminal import Terminal
from tests.testbed.commands import Result
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

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


# -- users, as polkit knows them -----------------------------------------------------------------

PAGE = PROJECT / "docs/howto/let-users-act.md"
#: anna is one of the operators, otto is not.
OPERATOR, OTHER = "anna", "otto"
USERS = f"""
getent group operators >/dev/null || groupadd operators
for user in {OPERATOR} {OTHER}; do
    id $user >/dev/null 2>&1 || useradd --create-home --shell /bin/sh $user
done
usermod --append --groups operators {OPERATOR}
echo root:secret | chpasswd
"""
ONE, TWO, *_ = FEW.saved


def rules() -> list[str]:
    """Those of the page for administrators: who acts without a password, and who reads."""
    return re.findall(r"```js\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def users(host: Host) -> Host:
    """The host, with them; root has a password."""
    host.run(USERS)
    return host


def as_user(host: Host, user: str, *command: str) -> Result:
    """Not at a terminal: polkit cannot ask."""
    return host.run(["runuser", "-u", user, "--", *command], check=False)


def may(host: Host, user: str, action: str) -> bool:
    """What polkit says, as the page has it tried."""
    check = f"pkcheck --action-id {action} --process $$"
    return as_user(host, user, "sh", "-c", check).returncode == 0


@contextlib.contextmanager
def ruled(host: Host, rule: str, user: str, action: str) -> Iterator[None]:
    """Meanwhile polkit goes by that rule as well, and says something else of the user."""
    file, before = "/etc/polkit-1/rules.d/50-guestctl.rules", may(host, user, action)
    host.run(["tee", file], input=rule)
    try:
        wait_until(lambda: may(host, user, action) != before, 20, "rule in force")
        yield
    finally:
        host.run(["rm", file])
        wait_until(lambda: may(host, user, action) == before, 20, "end of the rule")


def test_who_may_by_a_rule(users: Host) -> None:
    """The group of the page preserves and starts guests; what else there is it may not."""
    shutdown = f"{NAME}.shutdown"
    before = look(users, [ONE])
    with ruled(users, rules()[0], OPERATOR, shutdown):
        done = as_user(users, OPERATOR, "guestctl", "shutdown", "--preserve", ONE)
        assert (done.returncode, image(users, ONE).exists()) == (0, True), done.stderr
        run = newest_run(users, kind="preserve")
        assert (run["user"], run["command"]) == (OPERATOR, f"guestctl shutdown --preserve '{ONE}'")
        assert as_user(users, OPERATOR, "guestctl", "start", ONE).returncode == 0
        assert went_on(users, ONE, before.ticks[ONE])
        assert_refused(as_user(users, OPERATOR, "guestctl", "hold", ONE), "hold")
        assert_refused(as_user(users, OTHER, "guestctl", "shutdown", "--preserve", ONE), "shutdown")
    assert_refused(as_user(users, OPERATOR, "guestctl", "shutdown", ONE), "shutdown")
    assert users.state(ONE) == "running"


def assert_refused(result: Result, word: str) -> None:
    assert (result.returncode, result.stdout) == (3, "")
    assert "not permitted: " in result.stderr
    assert f"{NAME}.{word}" in result.stderr
    assert "root may" in result.stderr


HOLD = f"guestctl hold --reason moving '{TWO}'"


def test_an_administrator_is_asked_at_the_terminal(users: Host) -> None:
    with Terminal(users, OTHER, HOLD) as terminal:
        terminal.give_password("secret")
        assert terminal.status() == 0, terminal.shown
        assert "Authentication is required to change which guests" in terminal.shown
    assert listed(users)[TWO]["held"] == f"held by {OTHER}: moving"
    with Terminal(users, OTHER, f"guestctl release '{TWO}'") as terminal:
        terminal.give_password("wrong")
        assert terminal.status() == 3, terminal.shown
        assert "nobody gave an administrator's password" in terminal.shown
    assert listed(users)[TWO]["held"]
    users.run(["guestctl", "release", TWO])  # root is not asked
    assert listed(users)[TWO]["held"] is None


def test_nothing_is_done_for_who_leaves_while_they_are_asked(users: Host) -> None:
    with Terminal(users, OTHER, HOLD) as terminal:
        terminal.wait_for("assword: ")
        terminal.type("\x03")
        assert terminal.status() != 0  # and there is echo again
    wait_until(lambda: "pkttyagent" not in processes(users), 10, "end of the agent")
    assert listed(users)[TWO]["held"] is None


def processes(host: Host) -> str:
    return host.run(["ps", "-e", "-o", "args"]).stdout


# -- reading -------------------------------------------------------------------------------------

SOCKET = "/run/libvirt/libvirt-sock-ro"


def reads(host: Host, user: str) -> bool:
    """Whether guestctl answers the user, which is whether libvirt does."""
    ours = as_user(host, user, "guestctl", "list", "--json")
    theirs = as_user(host, user, "virsh", "-q", "-r", "-c", "qemu:///system", "list")
    assert ours.returncode in (0, 3), ours.stderr
    assert (ours.returncode == 0) == (theirs.returncode == 0), (ours, theirs)
    assert bool(ours.stdout) == (ours.returncode == 0)
    return ours.returncode == 0


@pytest.mark.parametrize(
    ("change", "readers"),
    [
        ("true", {OPERATOR, OTHER}),
        (f"chmod 0600 {SOCKET}", set()),
        (f"chown root:operators {SOCKET} && chmod 0660 {SOCKET}", {OPERATOR}),
        ("chmod 0700 /run/libvirt", set()),
    ],
)
def test_reading_goes_by_libvirts_socket(users: Host, change: str, readers: set[str]) -> None:
    modes = f"chmod 0755 /run/libvirt; chown root:root {SOCKET}; chmod 0666 {SOCKET}"
    try:
        users.run(change)
        assert {user for user in (OPERATOR, OTHER) if reads(users, user)} == readers
    finally:
        users.run(modes)


def test_reading_goes_by_libvirts_action(users: Host) -> None:
    with ruled(users, rules()[1], OTHER, "org.libvirt.unix.monitor"):
        assert {user for user in (OPERATOR, OTHER) if reads(users, user)} == {OPERATOR}


def test_without_polkit_root_alone_may(users: Host) -> None:
    """As libvirt has it, for what its socket would show as well."""
    users.run("systemctl mask --runtime --now polkit")
    try:
        assert not reads(users, OTHER)
        refused = as_user(users, OPERATOR, "guestctl", "shutdown", "--preserve", ONE)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "not permitted: polkit cannot be asked about" in refused.stderr
        assert refused.stderr.endswith("; root may without it\n")
        users.run(["guestctl", "hold", TWO])
        users.run(["guestctl", "release", TWO])
    finally:
        users.run("systemctl unmask --runtime polkit && systemctl start polkit")
    assert reads(users, OTHER)
