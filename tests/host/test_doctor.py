"""The doctor on a real host: nothing where all is well, and each check of units provoked, and gone
after what it says was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.host import doctor
from tests.host.service import status, wait_watching
from tests.host.stage import FEW, make_all_run
from tests.host.support import runs
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
UNITS = "/etc/systemd/system"


def drop_in(unit: str, text: str, *, read: bool = True) -> str:
    """A command that writes one."""
    folder = f"{UNITS}/{unit}.d"
    write = f"mkdir -p {folder} && printf '{text}\\n' > {folder}/zz-test.conf"
    return f"{write} && systemctl daemon-reload" if read else write


def configured(text: str) -> str:
    """A command that writes a file of guestctl's configuration, and has it used."""
    return f"printf '{text}\\n' > /etc/guestctl/conf.d/zz-test.toml; guestctl reload || true"


#: All that a provocation leaves, whatever became of it.
CLEAN = (
    f"rm -rf {UNITS}/*.d/zz-test.conf {UNITS}/guestctl.service /etc/guestctl/conf.d/zz-test.toml"
    " /etc/systemd/logind.conf.d/zz-test.conf /var/lib/guestctl/takeover.json"
    f" {UNITS}/libvirt-guests.service.d;"
    " systemctl daemon-reload; systemctl reset-failed; systemctl disable libvirt-guests.service"
)
UNDROP = f"rm {UNITS}/*.d/zz-test.conf; systemctl daemon-reload"
UNCONFIGURE = "rm /etc/guestctl/conf.d/zz-test.toml; guestctl reload"


@dataclass(frozen=True)
class Case:
    """check: what finds it.  provoke: a command.  mend: another than the finding's own.

    beside: checks that find something as well.
    """

    check: str
    provoke: str
    mend: str = ""
    severity: str = "warning"
    beside: frozenset[str] = frozenset()


CASES = [
    Case("libvirt-guests", "systemctl enable libvirt-guests.service", severity="error"),
    Case(
        "service-off",
        "systemctl stop guestctl.service",
        severity="error",
    ),
    Case("guard-off", "systemctl stop guestctl-guard.service"),
    Case("unit-missing", "systemctl mask guestctl-fallback.service", severity="error"),
    Case("autostart-off", "systemctl disable guestctl-autostart.service"),
    Case(
        "unit-failed",
        drop_in("guestctl-fallback.service", "[Service]\\nExecStart=\\nExecStart=/bin/false")
        + "; systemctl start guestctl-fallback.service || true",
        f"{UNDROP}; systemctl reset-failed guestctl-fallback.service",
        beside=frozenset({"unit-overridden"}),
    ),
    Case("probe-off", "systemctl stop guestctl-probe.socket"),
    Case(
        "unit-replaced",
        f"cp /usr/lib/systemd/system/guestctl.service {UNITS}; systemctl daemon-reload",
        f"rm {UNITS}/guestctl.service; systemctl daemon-reload",
    ),
    Case(
        "shutdown-target",
        "sed /virt-guest-shutdown.target/d /usr/lib/systemd/system/guestctl.service"
        f" > {UNITS}/guestctl.service; systemctl daemon-reload",
        f"rm {UNITS}/guestctl.service; systemctl daemon-reload",
        "error",
        frozenset({"unit-replaced"}),
    ),
    Case("unit-overridden", drop_in("guestctl.service", "[Service]\\nTimeoutStopSec=5s"), UNDROP),
    Case("unit-adjusted", drop_in("guestctl.service", "[Service]\\nNice=1"), UNDROP, "note"),
    Case(
        "unit-outdated",
        drop_in("guestctl.service", "[Service]\\nNice=1", read=False),
        beside=frozenset({"unit-adjusted"}),
    ),
    Case("job-limit", drop_in("reboot.target", "[Unit]\\nJobTimeoutSec=10s"), UNDROP, "error"),
    Case(
        "deadline-too-long",
        drop_in("reboot.target", "[Unit]\\nJobTimeoutSec=10min\\nJobRunningTimeoutSec=5s"),
        UNDROP,
    ),
    Case("deadline-too-long", configured('[shutdown]\\ndeadline = "40min"'), UNCONFIGURE),
    Case(
        "config-mistakes",
        configured('[shutdown]\\ndeadline = "soon"'),
        UNCONFIGURE,
        "error",
    ),
    Case("matches-nobody", configured('[[guest]]\\nmatch = "db-*"'), UNCONFIGURE),
    Case(
        "logind-outdated",
        "mkdir -p /etc/systemd/logind.conf.d; printf '[Login]\\nInhibitDelayMaxSec=9\\n'"
        " > /etc/systemd/logind.conf.d/zz-test.conf",
        beside=frozenset({"logind-delay"}),
    ),
    Case("autostart-marker", "rm /run/libvirt/qemu/autostarted"),
    Case("held", "guestctl hold 'guest 1' --reason moving"),
    Case(
        "connection-lost",
        "systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket",
        "systemctl start libvirtd.service",
        severity="error",
        beside=frozenset({"not-known"}),
    ),
]


@pytest.fixture
def clean(host: Host) -> Iterator[None]:
    """Whatever a provocation left is put right."""
    yield
    host.run(CLEAN, check=False)
    host.run("systemctl restart systemd-logind.service; systemctl start libvirtd.service")
    host.run("systemctl start guestctl-guard.service guestctl.service; guestctl reload")
    wait_watching(host)


@pytest.fixture(autouse=True)
def well(host: Host) -> None:
    """What went wrong in tests before is no finding here: the newest run of each kind went well."""
    newest = {run["kind"]: run["ok"] for run in reversed(runs(host))}
    if not all(newest.values()):
        host.run("guestctl shutdown --preserve && guestctl start", timeout=120)
        make_all_run(host, CAST)


def test_a_healthy_host_has_nothing_worse_than_a_note(host: Host) -> None:
    shown = host.run(["guestctl", "doctor"], check=False)
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stdout
    assert doctor.trouble(host) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
@pytest.mark.usefixtures("clean")
def test_what_it_finds_is_gone_after_what_it_says(host: Host, case: Case) -> None:
    host.run(case.provoke)
    told = doctor.findings(host)
    finding, *_ = (it for it in told if it["check"] == case.check)
    assert finding["severity"] == case.severity
    worse = {it["check"] for it in told if it["severity"] != "note"}
    assert worse - {case.check} <= case.beside, told
    host.run(case.mend or finding["command"])
    wait_until(lambda: is_over(host, case.check), 30, f"{case.check} is over")


def is_over(host: Host, check: str) -> bool:
    """Whether it finds nothing any more, and nobody else does."""
    told = doctor.findings(host)
    return all(it["severity"] == "note" and it["check"] != check for it in told)


@pytest.mark.usefixtures("clean")
def test_the_service_looks_by_itself(host: Host) -> None:
    """In its sandbox it sees what a command sees, and the journal and status have it."""
    host.run(drop_in("reboot.target", "[Unit]\\nJobTimeoutSec=10s"))
    file = host.path(doctor.SEEN)
    file.unlink(missing_ok=True)
    host.run(["systemctl", "restart", "guestctl.service"])
    wait_watching(host)
    wait_until(file.exists, doctor.OWN_LOOK, "the service's own look")
    seen = json.loads(file.read_text())["findings"]
    assert [it["check"] for it in seen] == ["job-limit"]
    wait_until(lambda: "doctor: reboot.target is forced" in host.journal(), 20, "its line")
    assert status(host)["doctor"]["errors"] == 1
    text = host.run(["guestctl", "status"]).stdout
    assert "doctor:         1 error, see guestctl doctor" in text


def test_a_user_is_told_what_cannot_be_seen(host: Host) -> None:
    shown = host.run(
        ["setpriv", "--reuid=nobody", "--clear-groups", "guestctl", "doctor"], check=False
    )
    assert shown.returncode == 3, shown.stdout
    assert "only root can read" in shown.stderr
    assert "error:" not in shown.stdout
