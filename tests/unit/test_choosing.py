"""Who answers a command: the service, or this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import General
from guestctl.control import choosing, service_on_bus
from guestctl.control.facts_text import to_text
from guestctl.control.in_process import InProcess
from guestctl.control.requests import Failure, RequestError, Shown
from guestctl.control.steadfast import Steadfast
from guestctl.host import machine, status_file
from guestctl.host.locks import take_service_lock
from tests.unit.fake_guestctl import Served, served
from tests.unit.private_bus import PrivateBus
from tests.unit.test_over_bus import FACTS

SESSION = Config(General(uris=("qemu:///session",)))


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a host whose bus is not this machine's, and where no service runs."""
    monkeypatch.setattr(machine, "SYSTEM_RUN", tmp_path)
    monkeypatch.setattr(machine, "is_root", lambda: False)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[None]:
    """The service runs, as far as its file tells."""
    status_file.write(tmp_path, {"pid": os.getpid()})
    lock = take_service_lock(tmp_path)
    yield
    os.close(lock)


@pytest.fixture
def service(running: None, bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The service on the bus."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    with served(bus) as there:
        yield there


def answers(config: Config, connect: str | None = None, *, own_config: bool = False) -> type:
    """Whose class answers, and nothing is said of it."""
    said: list[str] = []
    client = choosing.client_of(config, connect, said.append, own_config=own_config)
    assert said == []
    return type(client)


def test_this_process_answers_where_no_service_runs() -> None:
    assert answers(Config()) is InProcess


def test_the_service_answers_where_it_runs(service: Served) -> None:
    assert answers(Config()) is Steadfast


def test_what_is_used_in_place_of_mistakes_is_said_by_who_uses_it(
    service: Served, tmp_path: Path
) -> None:
    """A user was told of what they can read themselves, which the service does not use."""
    assert said_of_mistakes(None) == "the service uses the configuration of before"
    seen = {"problems": ["a mistake"], "source": "the last good configuration"}
    status_file.write(tmp_path, {"pid": os.getpid(), "configuration": seen})
    assert said_of_mistakes(None) == "the service uses the last good configuration"
    assert said_of_mistakes("qemu:///system") == "what is right in the configuration is used"


def said_of_mistakes(connect: str | None) -> str:
    """What is used, as it is told."""
    said: list[str] = []
    in_place = "what is right in the configuration"
    choosing.client_of(Config(), connect, said.append, in_place=in_place)
    (text,) = said
    return text.removesuffix(" until the mistakes are mended; with --strict, none is")


def test_options_that_name_something_else_mean_this_process(service: Served) -> None:
    assert answers(Config(), "test:///default") is InProcess
    assert answers(Config(), "qemu:///system") is InProcess
    assert answers(Config(), own_config=True) is InProcess
    assert service.service.calls == []


def test_a_users_own_guests_are_none_of_the_hosts_service(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answers(SESSION) is InProcess
    monkeypatch.setattr(machine, "is_root", lambda: True)  # whose session is the system
    assert answers(SESSION) is Steadfast


def test_a_bus_that_is_gone_is_no_reason_to_do_nothing(running: None) -> None:
    assert answers(Config()) is InProcess


def test_a_service_without_its_name(
    running: None, bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    assert answers(Config()) is InProcess


def test_a_service_that_hangs(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_on_bus, "_THERE_LIMIT", 0.2)
    del service.service.methods["Ping"]
    assert answers(Config()) is InProcess


def test_a_library_for_the_bus_that_is_missing(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "guestctl.control.steadfast", None)
    assert answers(Config()) is InProcess


def test_what_only_the_service_can_do() -> None:
    client = choosing.client_of(Config(), None, lambda _: None)
    to = Shown(lambda _: None)
    for ask in (client.attach, partial(client.cancel, mine=True)):
        with pytest.raises(RequestError, match="the service does not run") as caught:
            ask(to)
        assert caught.value.failure is Failure.NOT_ALL_WELL


_LIST = """
import sys
from pathlib import Path
from guestctl.cli.main import main
from guestctl.host import machine
machine.SYSTEM_RUN, machine.is_root = Path(sys.argv[1]), lambda: False
status = main(["list", *sys.argv[2:]])
of_ours = {f"guestctl.{one}" for one in ("control.over_bus", "control.local", "runs.restore")}
heavy = {"libvirt", "sqlite3"} | of_ours
print(status, "heavy:", *sorted(heavy & sys.modules.keys()))
"""


def _list(folder: Path, *arguments: str) -> list[str]:
    argv = [sys.executable, "-c", _LIST, str(folder), *arguments]
    env = {**os.environ, "HOME": str(folder)}
    run = subprocess.run(argv, check=True, capture_output=True, text=True, env=env)
    return run.stdout.splitlines()


def test_what_the_service_answers_needs_neither_libvirt_nor_the_ledger(
    service: Served, tmp_path: Path
) -> None:
    service.service.answer("GetFacts", "sas", to_text(FACTS), [])
    _, *guests, heavy = _list(tmp_path)
    assert [line.split()[:2] for line in guests] == [["db", "running"], ["web", "running"]]
    assert heavy == "0 heavy: guestctl.control.over_bus"


def test_a_list_of_ones_own_needs_no_service_and_begins_no_runs(tmp_path: Path) -> None:
    heavy = _list(tmp_path, "-c", "test:///default")[-1]
    assert heavy == "0 heavy: guestctl.control.local libvirt sqlite3"
