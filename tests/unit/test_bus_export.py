"""org.guestctl1 on a real bus: what it answers, refuses and tells; the guests are simulated."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from guestctl.control.interface import NO_RUN
from guestctl.control.requests import Failure
from guestctl.control.service_errors import error_name
from guestctl.host.bus import BusError
from guestctl.host.bus_errors import Standard
from guestctl.host.bus_values import Variant
from guestctl.host.polkit import ALLOWED, Answer, Verdict
from guestctl.model.guest import State
from guestctl.model.plan import RunKind
from guestctl.model.result import Trigger
from guestctl.service import bus_export
from guestctl.service.bus_paths import guest_path
from guestctl.service.run_log import LoggedRun
from tests.served import guest, off
from tests.sim.behaviour import Save
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async
from tests.unit.served_bus import Caller, caller, on_bus

AB = [guest("a", save=Save(0.1)), guest("b", save=Save(0.1))]
REFUSED = Answer(Verdict.REFUSED, "not permitted: root may")


class Polkit:
    """Refuses what is in `refused`."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.asked: list[str] = []

    async def may(self, _uid: int, _caller: str, action: str, **_: bool) -> Answer:
        """In polkit's place."""
        self.asked.append(action.removeprefix("org.guestctl1."))
        return REFUSED if self.asked[-1] in self.refused else ALLOWED

    async def may_read(self, _uid: int, _caller: str, **_: bool) -> Answer:
        """The same for reading."""
        return REFUSED if "read" in self.refused else ALLOWED


@pytest.fixture
def polkit(monkeypatch: pytest.MonkeyPatch, bus: PrivateBus) -> Polkit:
    """Which lets anybody do anything; the system's bus is the private one."""
    stand_in = Polkit()
    monkeypatch.setattr(bus_export, "may", stand_in.may)
    monkeypatch.setattr(bus_export, "may_read", stand_in.may_read)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    return stand_in


async def refused(client: Caller, member: str, *arguments: object, **where: str) -> BusError:
    """The error that a call is answered with."""
    with pytest.raises(BusError) as caught:
        await client.ask(member, *arguments, **where)
    return caught.value


async def ended(client: Caller, path: str) -> dict[str, Any]:
    """The properties of a run that is over."""
    while (values := await client.values(path, "Run"))["State"] != "ended":  # noqa: ASYNC110 - of another connection
        await asyncio.sleep(0.05)
    return values


def test_a_preserve_is_asked_for_and_looked_at(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            options = {"reason": Variant("s", "upgrade"), "command": Variant("s", "by hand")}
            (path,) = await client.ask("Preserve", [], options)
            assert path == "/org/guestctl1/run/1"
            over = await ended(client, path)
            assert (over["Ok"], over["Kind"], over["Command"]) == (True, "preserve", "by hand")
            assert sorted(name for name, *_ in over["Guests"]) == ["a", "b"]
            assert it.host.up == ""
            events, is_over = await client.ask("Events", 0, path=path, of="Run")
            assert is_over
            kinds = [json.loads(text)["event"] for _, text in events]
            assert (kinds[0], kinds[-1]) == ("RunBegan", "RunEnded")
            assert polkit.asked == ["shutdown"]
            (again,) = await client.ask("Start", [], {})
            await ended(client, again)
            assert it.host.up == "a b"

    run_async(work())


@pytest.mark.thorough
def test_signals_tell_of_a_run(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        async with on_bus(bus, AB), caller(bus) as client:
            await client.hear("Manager", "RunBegan", "RunEnded")
            await client.hear("Run", "Event", "Ended")
            await client.hear_changes()
            (path,) = await client.ask("Shutdown", ["a"], {})
            await until(lambda: bool(client.of("RunEnded")))
            assert client.of("RunBegan") == [[path, "shutdown", "command"]]
            assert client.of("RunEnded") == [[path, "shutdown", "command", True]]
            numbers = [number for number, _ in client.of("Event")]
            assert numbers == list(range(1, numbers[-1] + 1))
            ((ok, text),) = client.of("Ended")
            assert ok
            assert json.loads(text)["guests"][0]["name"] == "a"
            said = [body[1] for body in client.of("PropertiesChanged")]
            assert {"CurrentRun": path} in [
                {k: v for k, v in it.items() if k == "CurrentRun"} for it in said
            ]
            assert any(it.get("State") == "ended" for it in said)
            assert (await client.values("/org/guestctl1", "Manager"))["CurrentRun"] == NO_RUN

    run_async(work())


@pytest.mark.thorough
def test_guests_can_be_asked_and_tell_what_changed(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            path = guest_path(it.a)
            ((first, *_),) = await client.ask("ListGuests")
            assert first[0] == "a"
            assert first[-1] == path
            assert await client.ask("GetGuest", "a") == [path]
            assert (await client.values(path, "Guest"))["State"] == "running"
            await client.hear_changes()
            await client.hear("Manager", "Happened")
            await until(lambda: it.export._guests._known is not None)
            await client.ask("Shutdown", {}, path=path, of="Guest")
            await until(
                lambda: (
                    ["org.guestctl1.Guest", {"State": str(State.SHUT_OFF)}, []]
                    in client.of("PropertiesChanged")
                )
            )
            assert any(
                json.loads(text).get("event") == "stopped" for (text,) in client.of("Happened")
            )
            assert it.host.up == "b"
            await client.ask("Hold", {}, path=path, of="Guest")
            (asked,) = it.answers.marked
            actor, how, names, reason = asked
            assert (how, list(names), reason) == ("hold", [it.a], None)
            assert actor.command == f"Hold over the bus: {it.a.uuid}"

    run_async(work())


@pytest.mark.thorough
def test_trails_are_told_while_libvirt_does_not_answer(bus: PrivateBus, polkit: Polkit) -> None:
    """They waited for ten times as long as it had not."""

    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            it.answers.hangs = True
            await client.hear("Manager", "Happened")
            await until(lambda: it.answers.asked > 0)
            await client.ask("Shutdown", {}, path=guest_path(it.a), of="Guest")
            await until(lambda: any("source" in json.loads(it) for (it,) in client.of("Happened")))

    run_async(work())


def test_who_may_not_is_told_who_may(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            polkit.refused = {"shutdown", "start", "hold", "policy", "read"}
            calls: list[Any] = [
                *((name, [], {}) for name in ("Preserve", "Start", "Hold", "Release", "Forget")),
                *(
                    ("SetPolicy", "a", {}, ["all"], {}),
                    ("Reload",),
                    ("ListGuests",),
                    ("Subscribe",),
                ),
            ]
            for call in calls:
                error = await refused(client, *call)
                assert (error.name, "root may" in str(error)) == (Standard.ACCESS_DENIED, True)
            assert it.host.touched == []
            assert it.answers.marked == []

    run_async(work())


@pytest.mark.thorough
def test_a_run_that_cannot_begin_is_an_error_and_nothing_else(
    bus: PrivateBus, polkit: Polkit
) -> None:
    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            error = await refused(client, "Preserve", ["c"], {})
            assert error.name == "org.guestctl1.Error.WrongRequest"
            assert "no guest has this name" in str(error)
            with it.host.operator():
                error = await refused(client, "Start", [], {})
            assert error.name == "org.guestctl1.Error.Locked"
            assert (await refused(client, "Shutdown", [], {})).name == Standard.INVALID_ARGS
            assert (await refused(client, "Start", [], {"all": Variant("b", True)})).name == (
                Standard.INVALID_ARGS
            )
            path = "/org/guestctl1/run/1"
            assert (await refused(client, "Events", 0, path=path, of="Run")).name == (
                Standard.UNKNOWN_OBJECT
            )
            assert it.host.touched == []

    run_async(work())


def test_cancel_is_for_runs_that_somebody_asked_for(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        slow = [guest("a", save=Save(5.0)), off("b")]
        async with on_bus(bus, slow) as it, caller(bus) as client:
            (path,) = await client.ask("Preserve", ["a"], {})
            await client.ask("Cancel", path=path, of="Run")
            assert (await ended(client, path))["Ok"] is False
            assert it.host.up == "a"
            own = LoggedRun(RunKind.RESTORE, Trigger.BOOT)
            it.host.service.log.show(own)
            polkit.refused = {"start"}
            path = "/org/guestctl1/run/2"
            assert (await refused(client, "Cancel", path=path, of="Run")).name == (
                Standard.ACCESS_DENIED
            )
            polkit.refused = set()
            error = await refused(client, "Cancel", path=path, of="Run")
            assert "nobody asked for it" in str(error)

    run_async(work())


@pytest.mark.thorough
def test_who_stopped_a_guest_is_told(bus: PrivateBus, polkit: Polkit) -> None:
    async def work() -> None:
        async with on_bus(bus, AB) as it, caller(bus) as client:
            await client.hear("Manager", "Verdict", "Happened")
            it.host.happen("a crashes")
            await until(lambda: bool(client.of("Verdict")))
            ((path, name, who, how, certainty, evidence),) = client.of("Verdict")
            assert (path, name) == (guest_path(it.a), "a")
            assert (who, how, certainty) == ("crash", "crashed", "observed")
            assert evidence
            lines = [json.loads(text) for (text,) in client.of("Happened")]
            assert any(line.get("verdict", {}) for line in lines)

    run_async(work())


def test_what_reading_fails_with_has_a_name() -> None:
    assert {error_name(failure) for failure in Failure} == {
        f"org.guestctl1.Error.{name}"
        for name in ("NotAllWell", "WrongRequest", "NotPermitted", "NoHypervisor", "Locked")
    }
