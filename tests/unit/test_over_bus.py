"""Each request over the bus is the call that the interface has for it, and its answer the values
that verbs render."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from guestctl import __version__
from guestctl.config.config import Config
from guestctl.config.reading import Reading
from guestctl.control.bus_acting import call_of_down
from guestctl.control.client import Client
from guestctl.control.facts_text import to_text
from guestctl.control.over_bus import OverBus
from guestctl.control.replies import ChangedSetting, PastRunInFull, finding_json, past_json
from guestctl.control.requests import (
    Down,
    Failure,
    PolicyRequest,
    RequestError,
    Shown,
    Up,
)
from guestctl.decisions.host_facts import HostFacts, LostConnection
from guestctl.model.finding import Finding
from guestctl.model.history import PastGuest, PastRun, TrailEntry
from guestctl.model.options import SaveDecision
from guestctl.model.plan import RunKind
from guestctl.model.record import Wanted
from guestctl.model.report import RunEvent
from guestctl.model.result import Trigger
from tests.unit.fake_guestctl import RESULT, STORY, Served, served
from tests.unit.makers import BOOT, URI, guest, guest_id, recorded
from tests.unit.private_bus import PrivateBus

RECORDS = (recorded(), recorded(2, "db", wanted=Wanted.OFF))
FACTS = HostFacts(
    BOOT,
    10**18,
    (URI,),
    owns_next_boot=True,
    sees_all=True,
    config=Config(),
    guests=(guest(), guest("db", 2)),
    records=RECORDS,
    may_see=True,
)
STATUS: dict[str, Any] = {
    "problems": [],
    "service": {
        "running": True,
        "enabled": "enabled",
        "pid": 7,
        "since": 10**18,
        "activity": "watching",
        "configuration": {"source": "as in its files", "differs": []},
        "logind": {"connected": True, "inhibitor": True, "problem": None},
        "connections": {URI: "connected"},
        "waiting": [{"name": "web", "uri": URI, "for": "its disk", "given_up": False}],
    },
    "guard": "active",
    "inhibit_delay": 30.0,
    "owns_autostart": [URI],
    "unmatched": [],
    "wanted": {"on": 1, "off": 0, "held": 0},
    "current_run": None,
    "last_run": None,
}
RUN = PastRun(3, RunKind.PRESERVE, Trigger.COMMAND, BOOT, 7, 10**18, 10**18 + 5, True, "mary")
PAST = PastRunInFull(RUN, [PastGuest("web", "saved", "")], [])
FOUND = Reading(Config(), (), (), {}, ())


@pytest.fixture
def service(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr(sys, "argv", ["guestctl", "start"])
    with served(bus) as there:
        yield there


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def client(said: list[str]) -> Client:
    return OverBus(Config(), (URI,), said.append)


def bodies(service: Served) -> dict[str, list[Any]]:
    return service.service.bodies


def test_facts(service: Served, client: Client, said: list[str]) -> None:
    service.service.answer("GetFacts", "sas", to_text(FACTS), ["a disk does not answer"])
    assert client.facts() == FACTS
    assert client.wanted_off() == {guest_id(2)}
    assert said == ["a disk does not answer"] * 2
    assert client.policy(FOUND, "db").guest == guest("db", 2)


def test_settings_where_no_connection_can_be_read(service: Served, client: Client) -> None:
    lost = replace(FACTS, lost=(LostConnection(URI, "cannot connect"),))
    service.service.answer("GetFacts", "sas", to_text(lost), [])
    with pytest.raises(RequestError, match="cannot connect") as caught:
        client.policy(FOUND, "db")
    assert caught.value.failure is Failure.NO_HYPERVISOR


def test_status_and_problems(service: Served, client: Client) -> None:
    found = [Finding("broken", "mend it", "web", guest_id()), Finding("amiss")]
    values = STATUS | {"problems": [finding_json(one) for one in found], "wanted": None}
    service.service.answer("GetStatus", "sas", json.dumps(values), [])
    status = client.status(hosts_files=True)
    assert (status.values, status.findings) == (values, found)
    assert (status.seen, status.may_see) == (False, True)


def test_problems_are_of_facts_and_past_runs(service: Served, client: Client) -> None:
    failed = PAST._replace(
        run=replace(RUN, ok=False),
        guests=[PastGuest("web", "failed", "no room", RECORDS[0].id.uuid, URI)],
    )
    service.service.answer("GetFacts", "sas", to_text(FACTS), [])
    service.service.answer("GetHistory", "sas", json.dumps([past_json(failed)]), [])
    found = client.problems()
    assert [row.name for row in found.rows] == ["web"]
    assert bodies(service)["GetHistory"] == [1, [], "restore"]


def test_history(service: Served, client: Client) -> None:
    service.service.answer("GetHistory", "sas", json.dumps([past_json(PAST)]), [])
    assert client.history(5, ["web", "db-*"], RunKind.SHUTDOWN) == [PAST]
    assert bodies(service)["GetHistory"] == [5, ["web", "db-*"], "shutdown"]
    client.history(1)
    assert bodies(service)["GetHistory"] == [1, [], ""]


def test_a_trail(service: Served, client: Client) -> None:
    line = {"uri": URI, "uuid": guest_id().uuid, "source": "operator:mary", "reason": "r", "at": 5}
    service.service.answer("Why", "sas", json.dumps([line, line | {"uri": "other"}]), [])
    entry = TrailEntry("operator:mary", "r", 5)
    assert client.trail("web", [URI], []) == [(guest_id(), entry)]
    assert len(client.trail("web", None, [])) == 2
    assert bodies(service)["Why"] == ["web"]


def shown() -> tuple[Shown, list[RunEvent]]:
    told: list[RunEvent] = []
    return Shown(told.append), told


def options(service: Served, member: str) -> dict[str, Any]:
    return {key: value.value for key, value in bodies(service)[member][-1].items()}


def test_a_run_from_its_beginning_to_its_result(service: Served, client: Client) -> None:
    service.service.at_once = True
    to, told = shown()
    request = Down(RunKind.PRESERVE, ["web"], time.monotonic() - 5, 60, "ups", "reboot")
    assert client.take_down(request, to) == RESULT
    assert told == STORY
    calls = service.service.calls
    assert calls.index("Subscribe") < calls.index("Preserve")  # who may not look begins nothing
    given = options(service, "Preserve")
    assert 50 < given.pop("within") <= 55
    assert given == {"command": "guestctl start", "reason": "ups", "profile": "reboot"}
    assert bodies(service)["Preserve"][0] == ["web"]


def test_the_terminal_is_polkits_while_it_may_ask(service: Served, client: Client) -> None:
    """The table that was being drawn went over the word "Password:"."""
    service.service.at_once = True
    calls = service.service.calls
    away: list[bool] = []

    @contextlib.contextmanager
    def go_away() -> Iterator[None]:
        away.append("Preserve" in calls)
        yield
        away.append("Preserve" in calls)

    client.take_down(Down(RunKind.PRESERVE, [], 0.0), Shown(lambda _: None, away=go_away))
    assert away == [False, True]


def test_all_guests_are_shut_down_by_a_word_of_its_own(service: Served, client: Client) -> None:
    service.service.at_once = True
    to, _ = shown()
    client.take_down(Down(RunKind.SHUTDOWN, [], 0.0), to)
    assert options(service, "Shutdown") == {"command": "guestctl start", "all": True}
    client.take_down(Down(RunKind.SHUTDOWN, ["web"], 0.0), to)
    assert "all" not in options(service, "Shutdown")


def test_what_brings_guests_up(service: Served, client: Client) -> None:
    service.service.at_once = True
    to, _ = shown()
    client.bring_up(Up(["web"], SaveDecision.DISCARD_SAVE, "r"), to)
    told = {"command": "guestctl start", "reason": "r", "decision": "discard-save"}
    assert options(service, "Start") == told
    client.bring_up(Up([], run=12), to)
    assert options(service, "Start")["run"] == 12
    with pytest.raises(RequestError, match="no such run") as caught:
        client.bring_up(Up([], run=2**32), to)
    assert caught.value.failure is Failure.WRONG_REQUEST


def test_what_marks_guests(service: Served, client: Client) -> None:
    for member, ask in (
        ("Hold", client.hold),
        ("Release", client.release),
        ("Forget", client.forget),
    ):
        service.service.answer(member, "a(ss)", [["web", "so be it"]])
        assert ask(["w*"], "r") == [("web", "so be it")]
        assert bodies(service)[member][0] == ["w*"]
        assert options(service, member) == {"command": "guestctl start", "reason": "r"}


CHANGE = {"key": "save", "value": "none", "before": None}


def test_a_policy_is_changed(service: Served, client: Client) -> None:
    told = {"changes": [CHANGE], "remarks": ["beware"], "booked": False}
    service.service.answer("SetPolicy", "s", json.dumps(told))
    service.service.answer("GetFacts", "sas", to_text(FACTS), [])
    changed = client.change_policy(FOUND, PolicyRequest("web", [("save", "none")], ["order"], "r"))
    assert changed.changes == (ChangedSetting("save", "none", None),)
    assert changed.remarks == ("beware",)
    assert not changed.is_booked
    assert changed.settings.guest.name == "web"
    assert bodies(service)["SetPolicy"][:3] == ["web", {"save": "none"}, ["order"]]


def test_a_wish_that_is_wrong_is_not_asked_for(service: Served, client: Client) -> None:
    twice = [("save", "none"), ("save", "all")]
    with pytest.raises(RequestError, match="more than once") as caught:
        client.change_policy(FOUND, PolicyRequest("web", twice, []))
    assert caught.value.failure is Failure.WRONG_REQUEST
    assert service.service.calls == []


def test_reload(service: Served, client: Client) -> None:
    service.service.answer("Reload", "as", ["[shutdown] deadline = 5min"])
    assert client.reload() == ["[shutdown] deadline = 5min"]


ANSWERS: list[tuple[str, Any]] = [("GetFacts", "no facts"), ("GetStatus", "[]"), ("Why", '["x"]')]


@pytest.mark.parametrize("version", [__version__, "0.9"])
@pytest.mark.parametrize(("member", "answer"), ANSWERS)
def test_what_cannot_be_read_is_another_versions(
    service: Served, client: Client, member: str, answer: str, version: str
) -> None:
    service.service.answer(member, "sas", answer, [])
    service.service.properties["Version"] = replace_value(service, version)
    asks: dict[str, Callable[[], object]] = {
        "GetFacts": client.facts,
        "GetStatus": lambda: client.status(hosts_files=True),
        "Why": lambda: client.trail("web", None, []),
    }
    with pytest.raises(RequestError) as caught:
        asks[member]()
    assert caught.value.failure is Failure.NOT_ALL_WELL
    text = str(caught.value)
    assert ("guestctl 0.9" in text and "systemctl restart guestctl" in text) == (version == "0.9")


@pytest.mark.parametrize("key", [*STATUS, "service.since", "service.logind.connected"])
def test_a_status_that_could_not_be_shown(service: Served, client: Client, key: str) -> None:
    values = json.loads(json.dumps(STATUS))
    *tables, last = key.split(".")
    table = values
    for name in tables:
        table = table[name]
    del table[last]
    service.service.answer("GetStatus", "sas", json.dumps(values), [])
    with pytest.raises(RequestError, match="cannot be read"):
        client.status(hosts_files=True)


def replace_value(service: Served, version: str) -> Any:
    return service.service.properties["Version"]._replace(value=version)


def test_a_refusal_has_the_services_own_words(service: Served, client: Client) -> None:
    name, text = "org.freedesktop.DBus.Error.AccessDenied", "only root and members of libvirt may"
    service.service.refuse("Preserve", name, text)
    with pytest.raises(RequestError, match=text) as caught:
        client.take_down(Down(RunKind.PRESERVE, [], 0.0), shown()[0])
    assert caught.value.failure is Failure.NOT_PERMITTED


def test_nobody_under_the_name(bus: PrivateBus, client: Client, service: Served) -> None:
    service.do(lambda it: it.leave())
    with pytest.raises(RequestError, match="not on the bus"):
        client.facts()
    bus.kill()
    with pytest.raises(RequestError, match="cannot connect to the bus"):
        client.facts()


def test_more_than_a_day_is_a_day() -> None:
    """The interface takes no more, and nobody goes without a preserve for that."""
    _, _, options = call_of_down(Down(RunKind.PRESERVE, [], time.monotonic(), within=1e6))
    assert options["within"].value == 86400
