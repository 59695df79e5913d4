"""The command asks the service: what it shows, what it leaves alone, with which status it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from guestctl.cli.display import Lines
from guestctl.cli.results import summary
from guestctl.control.facts_text import to_text
from guestctl.control.replies import past_json
from guestctl.host.bus_values import Variant
from tests.unit.asking import Asking, asking
from tests.unit.command import Command
from tests.unit.fake_guestctl import RESULT, STORY, FakeGuestctl
from tests.unit.private_bus import PrivateBus
from tests.unit.test_over_bus import FACTS, PAST


@pytest.fixture
def there(command: Command, bus: PrivateBus) -> Iterator[Asking]:
    with asking(command, bus) as found:
        yield found


def lines_of_the_story(capsys: pytest.CaptureFixture[str]) -> str:
    show = Lines()
    for event in STORY:
        show(event)
    return capsys.readouterr().out


def test_a_run_of_the_service_looks_like_one_of_the_command(
    there: Asking, capsys: pytest.CaptureFixture[str]
) -> None:
    there.service.service.at_once = True
    shown = there.run("shutdown", "--preserve").stdout
    assert shown == lines_of_the_story(capsys) + summary(RESULT) + "\n"
    there.service.do(lambda it: it.begin())
    assert there.run("attach").stdout == shown


def begun(there: Asking, *arguments: str) -> subprocess.Popen[str]:
    """A command that shows the beginning of a run."""
    process = there.start(*arguments)
    assert process.stdout is not None
    while "Preserve" not in there.service.service.calls:
        assert process.poll() is None
    for event in STORY[:2]:
        there.service.do(partial(FakeGuestctl.tell, event=event))
    assert "save begins" in process.stdout.readline() + process.stdout.readline()
    return process


OTHERS = [pytest.param(it, marks=pytest.mark.thorough) for it in (signal.SIGTERM, signal.SIGHUP)]


@contextmanager
def beginning_with(hangup: signal.Handlers) -> Iterator[None]:
    """What a command that is started has for SIGHUP."""
    before = signal.signal(signal.SIGHUP, hangup)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, *OTHERS])
def test_ctrl_c_leaves_the_run_alone_and_says_so(there: Asking, number: signal.Signals) -> None:
    with beginning_with(signal.SIG_DFL):  # the tests may run under nohup
        process = begun(there, "shutdown", "--preserve")
    process.send_signal(number)
    result = there.end(process, status=130)
    assert result.stderr == (
        "guestctl: the run goes on in the service; `guestctl attach` shows it again,"
        " `guestctl cancel` ends it\n"
    )
    assert "Cancel" not in there.service.service.calls


@pytest.mark.thorough
def test_under_nohup_the_end_of_the_terminal_leaves_the_command_alone(there: Asking) -> None:
    """`nohup sh -c "guestctl shutdown --preserve && poweroff"` goes by its exit status."""
    with beginning_with(signal.SIG_IGN):
        process = begun(there, "shutdown", "--preserve")
    process.send_signal(signal.SIGHUP)
    for event in STORY[2:]:
        there.service.do(partial(FakeGuestctl.tell, event=event))
    assert there.end(process, status=0).stderr == ""


@pytest.mark.thorough
def test_a_service_that_ends_in_mid_run(there: Asking, bus: PrivateBus) -> None:
    process = begun(there, "shutdown", "--preserve")
    there.service.service.properties["Began"] = Variant("t", 8)
    there.service.do(lambda it: it.leave())
    there.service.come_back(bus)
    result = there.end(process, status=1)
    assert (
        "the service has ended in mid-run; what became of the run: `guestctl hist" in result.stderr
    )


@pytest.mark.thorough
def test_no_run_is_under_way(there: Asking) -> None:
    there.service.service.answer("GetHistory", "sas", json.dumps([past_json(PAST)]), [])
    for verb in ("attach", "cancel"):
        said = there.run(verb, status=1).stderr
        assert (
            "guestctl: no run is under way in the service; the last was run 3, preserve of 2001-09"
            in said
        )


@pytest.mark.thorough
def test_a_run_of_another_process_is_named(there: Asking) -> None:
    """It was called the last one, as if it had ended."""
    past = past_json(PAST._replace(under_way=True))
    there.service.service.answer("GetHistory", "sas", json.dumps([past]), [])
    said = there.run("attach", status=1).stderr
    assert "no run is under way in the service; run 3, preserve of 2001-09" in said
    assert "goes on in a process of its own: `guestctl history -n 1`" in said


def test_cancelling(there: Asking) -> None:
    there.service.do(lambda it: it.begin())
    for event in STORY:
        there.service.service.tell(event, aloud=False)
    result = there.run("cancel")
    assert result.stdout == summary(RESULT) + "\n"
    assert "Cancel" in there.service.service.calls


REFUSALS = [
    ("org.guestctl1.Error.NotAllWell", 1),
    ("org.guestctl1.Error.WrongRequest", 2),
    ("org.freedesktop.DBus.Error.InvalidArgs", 2),
    ("org.freedesktop.DBus.Error.AccessDenied", 3),
    ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", 3),
    ("org.guestctl1.Error.NoHypervisor", 4),
    ("org.guestctl1.Error.Locked", 5),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("error", "status"), REFUSALS)
def test_a_refusal_is_a_status(there: Asking, error: str, status: int) -> None:
    there.service.service.refuse("Start", error, "because")
    assert there.run("start", "web", status=status).stderr == "guestctl: because\n"


@pytest.mark.thorough
def test_reload(there: Asking) -> None:
    there.service.service.answer("Reload", "as", ["shutdown.deadline is 5min, was 2min"])
    assert there.run("reload").stdout == "shutdown.deadline is 5min, was 2min\n"
    there.service.service.answer("Reload", "as", [])
    assert there.run("reload").stdout == "the configuration is the same\n"
    there.service.service.refuse("Reload", "org.guestctl1.Error.WrongRequest", "/etc/x:1: wrong")
    assert "/etc/x:1: wrong" in there.run("reload", status=2).stderr


@pytest.mark.thorough
def test_libvirt_is_not_imported(there: Asking) -> None:
    there.service.service.answer("GetFacts", "sas", to_text(FACTS), [])
    there.service.service.at_once = True
    for verb in (("list",), ("start", "web")):
        found = there.modules(*verb)
        assert not {name for name in found if name.startswith(("libvirt", "sqlite3"))}
        assert "guestctl.control.over_bus" in found
