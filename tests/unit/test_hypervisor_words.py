"""libvirt's numbers, as the installed binding has them, against the words for them."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.libvirt.connections import _cannot_connect
from guestctl.host.libvirt.constants import event_detail, event_kind, job_kind, state_and_reason
from guestctl.model.event import EventKind, JobKind
from guestctl.model.guest import State
from guestctl.model.uris import why_remote

#: Names of constants whose words are not simply the name, as `virsh` prints them.
SPECIAL = {
    "RUNNING_MIGRATION_CANCELED": "migration canceled",
    "RUNNING_WAKEUP": "event wakeup",
    "RUNNING_POSTCOPY": "post-copy",
    "RUNNING_POSTCOPY_FAILED": "post-copy failed",
    "PAUSED_MIGRATION": "migrating",
    "PAUSED_SAVE": "saving",
    "PAUSED_DUMP": "dumping",
    "PAUSED_IOERROR": "I/O error",
    "PAUSED_SNAPSHOT": "creating snapshot",
    "PAUSED_POSTCOPY": "post-copy",
    "PAUSED_POSTCOPY_FAILED": "post-copy failed",
    "PAUSED_API_ERROR": "API error",
}
#: They share a prefix with the reasons for "in shutdown", and are flags of another call.
SHUTDOWN_FLAGS = {"DEFAULT", "ACPI_POWER_BTN", "GUEST_AGENT", "INITCTL", "SIGNAL", "PARAVIRT"}


def constants(prefix: str) -> Iterator[tuple[str, int]]:
    """The installed constants VIR_DOMAIN_<prefix>_*, without what stands in front."""
    start = f"VIR_DOMAIN_{prefix}_"
    for name in sorted(vars(libvirt)):
        if name.startswith(start) and not name.endswith("_LAST"):
            yield name.removeprefix(start), getattr(libvirt, name)


def word(prefix: str, name: str) -> str:
    """The word for a constant."""
    return SPECIAL.get(f"{prefix}_{name}", name.replace("_", " ").lower())


STATES = {
    "NOSTATE": State.NO_STATE,
    "RUNNING": State.RUNNING,
    "BLOCKED": State.IDLE,
    "PAUSED": State.PAUSED,
    "SHUTDOWN": State.IN_SHUTDOWN,
    "SHUTOFF": State.SHUT_OFF,
    "CRASHED": State.CRASHED,
    "PMSUSPENDED": State.PMSUSPENDED,
}


@pytest.mark.parametrize(("name", "state"), STATES.items())
def test_states(name: str, state: State) -> None:
    assert state_and_reason(getattr(libvirt, f"VIR_DOMAIN_{name}"), 0)[0] is state


@pytest.mark.parametrize("prefix", ["RUNNING", "PAUSED", "SHUTDOWN", "SHUTOFF", "CRASHED"])
def test_reasons(prefix: str) -> None:
    state = getattr(libvirt, f"VIR_DOMAIN_{prefix}")
    skipped = SHUTDOWN_FLAGS if prefix == "SHUTDOWN" else set()
    installed = [(name, value) for name, value in constants(prefix) if name not in skipped]
    found = {name: state_and_reason(state, value)[1] for name, value in installed}
    assert found == {name: word(prefix, name) for name, _ in installed}
    assert len(found) >= 2


_NOT_LIFECYCLE = (EventKind.OTHER, EventKind.AGENT, EventKind.MONITOR)
EVENTS = [kind for kind in EventKind if kind not in _NOT_LIFECYCLE]


@pytest.mark.parametrize("kind", EVENTS)
def test_events(kind: EventKind) -> None:
    assert event_kind(getattr(libvirt, f"VIR_DOMAIN_EVENT_{kind.name}")) is kind


@pytest.mark.parametrize(
    "kind", ["DEFINED", "UNDEFINED", "STARTED", "STOPPED", "SHUTDOWN", "PMSUSPENDED", "CRASHED"]
)
def test_details_of_events(kind: str) -> None:
    installed = dict(constants(f"EVENT_{kind}"))
    found = {name: event_detail(EventKind[kind], value) for name, value in installed.items()}
    assert found == {name: word(kind, name) for name in installed}
    assert len(found) >= 2


JOBS = {
    "UNKNOWN": JobKind.OTHER,
    "START": JobKind.OTHER,
    "SAVE": JobKind.SAVE,
    "RESTORE": JobKind.OTHER,
    "MIGRATION_IN": JobKind.MIGRATION,
    "MIGRATION_OUT": JobKind.MIGRATION,
    "SNAPSHOT": JobKind.SNAPSHOT,
    "SNAPSHOT_REVERT": JobKind.SNAPSHOT,
    "SNAPSHOT_DELETE": JobKind.SNAPSHOT,
    "DUMP": JobKind.DUMP,
    "BACKUP": JobKind.BACKUP,
}


def test_jobs() -> None:
    installed = dict(constants("JOB_OPERATION"))
    assert {name: job_kind(value) for name, value in installed.items()} == {
        name: JOBS[name] for name in installed
    }
    assert "SAVE" in installed


@given(st.integers(), st.integers())
def test_numbers_of_a_newer_libvirt_are_unknown_and_never_wrong(number: int, detail: int) -> None:
    state, reason = state_and_reason(number, detail)
    assert (state is State.UNKNOWN) == (not 0 <= number <= 7)
    assert reason
    kind = event_kind(number)
    assert (kind is EventKind.OTHER) == (not 0 <= number <= 8)
    assert event_detail(kind, detail)
    assert job_kind(number) in JobKind
    assert (job_kind(number) is JobKind.SAVE) == (number == libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE)


LOCAL = [
    "qemu:///system",
    "qemu:///session",
    "test:///default",
    "test:///etc/node.xml",
    "qemu+unix:///system",
    "qemu+unix:///session?socket=/run/user/1000/libvirt/libvirt-sock",
    "qemu:/system",
    "xen:///system",
    "",
]
REMOTE = {
    "qemu://host/system": "the server host",
    "qemu://user@host:16514/system": "the server user@host:16514",
    "qemu://localhost/system": "the server localhost",
    "qemu://[::1]/system": "the server [::1]",
    "qemu://host": "the server host",
    "qemu+unix://host/system": "the server host",
    "esx://host/?no_verify=1": "the server host",
    "qemu+ssh://host/system": "the transport ssh",
    "qemu+ssh:///system": "the transport ssh",
    "qemu+SSH:///system": "the transport ssh",
    "qemu+ssh2://host/system": "the transport ssh2",
    "qemu+libssh://host/system": "the transport libssh",
    "qemu+libssh2://host/system": "the transport libssh2",
    "qemu+tcp://host/system": "the transport tcp",
    "qemu+tls://host/system": "the transport tls",
    "qemu+ext:///system?command=/bin/nc": "the transport ext",
    "test+tcp://127.0.0.1/default": "the transport tcp",
}


@pytest.mark.parametrize("uri", LOCAL)
def test_local_uris(uri: str) -> None:
    assert why_remote(uri) is None


@pytest.mark.parametrize(("uri", "reason"), REMOTE.items())
def test_remote_uris(uri: str, reason: str) -> None:
    assert reason in str(why_remote(uri)).replace("SSH", "ssh")


@given(st.text())
def test_any_uri_is_answered(uri: str) -> None:
    reason = why_remote(uri)
    assert reason is None or "transport" in reason or "server" in reason


# The daemon that does not answer


@pytest.mark.parametrize(
    ("socket", "unit"),
    [
        ("/var/run/libvirt/libvirt-sock", "libvirtd"),
        ("/var/run/libvirt/virtqemud-sock-ro", "virtqemud"),
        ("/run/user/1000/libvirt/libvirt-sock", None),
        ("/tmp/other", None),
    ],
)
def test_the_unit_of_a_daemon_of_the_system_is_named(socket: str, unit: str | None) -> None:
    """As libvirt 9.0 and 11.3 say it."""
    error = libvirt.libvirtError("")
    text = f"Failed to connect socket to '{socket}': No such file or directory"
    error.err = (libvirt.VIR_ERR_SYSTEM_ERROR, 7, text, 2, text, None, None, 2, -1)
    error.args = (text,)
    hint = f"; to start it: systemctl start {unit}" if unit else "directory"
    assert str(_cannot_connect("qemu:///system", error)).endswith(hint)
