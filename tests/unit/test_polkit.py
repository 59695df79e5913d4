"""What polkit is asked about a caller, and what its answers come to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from xml.etree.ElementTree import parse

import pytest

from guestctl.control.interface import NAME, Needs
from guestctl.host import polkit
from guestctl.host.polkit import Answer, Verdict, authorization, may
from tests.package import PROJECT
from tests.unit.private_bus import FakeService, PrivateBus, Refusal, until
from tests.unit.running import run_async

ACTION, CALLER = "org.guestctl1.shutdown", ":1.7"
Reply = Callable[[list[Any]], Any]


def says(allowed: bool, challenge: bool = False) -> Reply:
    return lambda _: ("(bba{ss})", [[allowed, challenge, {}]], [])


@contextlib.asynccontextmanager
async def authority(bus: PrivateBus, reply: Reply | None) -> AsyncIterator[FakeService]:
    """polkit, with one answer to whatever it is asked; with None it says nothing."""
    service = FakeService(polkit.NAME, polkit.PATH, polkit.AUTHORITY)
    if reply:
        service.methods["CheckAuthorization"] = reply
    await service.connect(bus.address)
    try:
        yield service
    finally:
        service.leave()


def ask(bus: PrivateBus, reply: Reply | None, *, interactive: bool = False) -> Answer:
    async def work() -> Answer:
        async with authority(bus, reply):
            options = {"interactive": interactive, "starts": False}
            return await authorization(CALLER, ACTION, **options, address=bus.address)

    return run_async(work())


def refuses(_: list[Any]) -> Any:
    raise Refusal("org.freedesktop.PolicyKit1.Error.Failed")


def test_who_may(bus: PrivateBus) -> None:
    assert ask(bus, says(True)) == Answer(Verdict.ALLOWED)


@pytest.mark.parametrize(
    ("reply", "interactive", "verdict", "text"),
    [
        (says(False), False, Verdict.REFUSED, "polkit refuses you org.guestctl1.shutdown; root"),
        (says(False), True, Verdict.REFUSED, "or nobody gave an administrator's password; root"),
        (says(False, True), False, Verdict.CHALLENGE, "does not let polkit ask for a password"),
        (says(False, True), True, Verdict.CHALLENGE, "no terminal or desktop"),
        (refuses, False, Verdict.UNKNOWN, "polkit cannot be asked about org.guestctl1.shutdown"),
        (lambda _: ("b", [True], []), False, Verdict.UNKNOWN, "polkit cannot be asked about"),
    ],
)
def test_who_may_not_is_told_why(
    bus: PrivateBus, reply: Reply, interactive: bool, verdict: Verdict, text: str
) -> None:
    answer = ask(bus, reply, interactive=interactive)
    assert answer.verdict is verdict
    assert not answer.allowed
    assert answer.text.startswith("not permitted: ")
    assert text in answer.text


def test_what_polkit_is_asked(bus: PrivateBus) -> None:
    asked: list[list[Any]] = []

    def reply(body: list[Any]) -> Any:
        asked.append(body)
        return says(True)(body)

    for interactive in (False, True):
        ask(bus, reply, interactive=interactive)
    for flags, body in enumerate(asked):
        (kind, subject), action, details, flag, _ = body
        assert (kind, subject["name"].value) == ("system-bus-name", CALLER)
        assert (action, details, flag) == (ACTION, {}, flags)


def test_nobody_to_ask(bus: PrivateBus) -> None:
    async def work() -> Answer:
        options = {"interactive": False, "starts": False}
        return await authorization(CALLER, ACTION, **options, address=bus.address)

    answer = run_async(work())
    assert answer.verdict is Verdict.UNKNOWN
    assert "root may without it" in answer.text
    bus.kill()
    assert run_async(work()).verdict is Verdict.UNKNOWN


def test_polkit_that_says_nothing_is_given_up(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polkit, "LIMIT", 0.05)
    assert "no answer" in ask(bus, None).text


def test_root_is_not_asked_about(bus: PrivateBus) -> None:
    async def work() -> None:
        async with authority(bus, says(False)) as service:
            options = {"interactive": False, "starts": False, "address": bus.address}
            assert (await may(0, CALLER, ACTION, **options)).allowed  # type: ignore[arg-type]
            assert service.calls == []
            assert not (await may(1000, CALLER, ACTION, **options)).allowed  # type: ignore[arg-type]

    run_async(work())


def test_polkit_is_started_only_if_it_may_be(bus: PrivateBus) -> None:
    bus.activatable(polkit.NAME)
    bus.kill()
    bus.start()

    async def work(*, starts: bool) -> Answer:
        options = {"interactive": False, "starts": starts}
        return await authorization(CALLER, ACTION, **options, address=bus.address)

    assert run_async(work(starts=False)).verdict is Verdict.UNKNOWN
    assert not bus.activated

    async def started() -> Answer:
        asking = asyncio.create_task(work(starts=True))
        await until(lambda: bus.activated)
        async with authority(bus, says(True)):
            return await asking

    assert run_async(started()).allowed


# -- the files that polkit and the bus read


def test_polkit_is_told_of_each_action_that_is_asked_about() -> None:
    file = PROJECT / f"share/polkit-1/actions/{NAME}.policy"
    actions = {action.attrib["id"]: action for action in parse(file).iter("action")}
    assert actions.keys() == {need.action for need in Needs if need is not Needs.READ}
    for action in actions.values():
        assert [each.text for each in action.findall("defaults/*")] == ["auth_admin_keep"] * 3
        assert (action.findtext("message") or "").startswith("Authentication is required to ")


def test_the_bus_lets_root_alone_have_the_name_and_everybody_call() -> None:
    policies = parse(PROJECT / f"share/dbus-1/system.d/{NAME}.conf").getroot()
    found = [(rules.attrib, [(rule.tag, rule.attrib) for rule in rules]) for rules in policies]
    assert found == [
        ({"user": "root"}, [("allow", {"own": NAME})]),
        ({"context": "default"}, [("allow", {"send_destination": NAME})]),
    ]
