"""The doctor's checks of libvirt's own auto-shutdown, and what is gathered for them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from guestctl.control.doctor import auto_shutdown as gathering
from guestctl.decisions import checks_auto_shutdown
from guestctl.decisions.doctor import examine
from guestctl.host import daemons, scopes
from guestctl.host.bus import BusError
from guestctl.host.libvirt import auto_shutdown
from guestctl.model.finding import Finding, Severity
from guestctl.model.host_auto_shutdown import AutoShutdown, GuestScope
from guestctl.model.host_state import NotSeen
from tests.unit.healthy import healthy

ON = ('auto_shutdown_try_save = "persistent"',)
EARLY, USUAL = GuestScope("m-a.scope", "a", True), GuestScope("m-b.scope", "b", False)
UNIT = "libvirtd.service"


def found(**values: object) -> list[Finding]:
    state = healthy(auto_shutdown=AutoShutdown(**values))  # type: ignore[arg-type]  # by name
    return examine(state, checks=checks_auto_shutdown.CHECKS)


def test_it_is_on_and_all_that_goes_with_it_is_one_finding() -> None:
    (finding,) = found(settings=ON, behind=(UNIT,), scopes=(EARLY, USUAL))
    assert (finding.check, finding.severity) == ("auto-shutdown", Severity.WARNING)
    assert finding.evidence == (f"/etc/libvirt/qemu.conf: {ON[0]}",)
    assert finding.command == "guestctl takeover"


def test_guests_that_were_started_while_it_was_on_are_named() -> None:
    (finding,) = found(scopes=(EARLY, USUAL))
    assert finding.check == "scope-order"
    assert finding.text.startswith("a: started while")
    assert finding.evidence == ("m-a.scope: Before=libvirtd.service",)


def test_a_daemon_that_has_not_read_the_file() -> None:
    (finding,) = found(behind=(UNIT,))
    assert (finding.check, finding.severity) == ("qemu-conf-unread", Severity.NOTE)
    assert finding.command == f"systemctl restart {UNIT}"


def test_nothing_where_it_is_off() -> None:
    assert found(scopes=(USUAL,)) == []


# What is gathered


def at(monkeypatch: pytest.MonkeyPatch, conf: Path, daemon_began: float) -> None:
    async def since() -> dict[str, float]:
        return {UNIT: daemon_began}

    async def no_scopes() -> tuple[GuestScope, ...]:
        return ()

    for name in ("switched_on", "is_known", "written_at"):
        real = getattr(auto_shutdown, name)
        monkeypatch.setattr(auto_shutdown, name, lambda real=real: real(conf))
    monkeypatch.setattr(daemons, "qemu_daemons_since", since)
    monkeypatch.setattr(scopes, "of_guests", no_scopes)


@pytest.mark.parametrize(
    ("text", "written", "behind"),
    [
        ('#auto_shutdown_wait = "30"\n', -10, (UNIT,)),
        ('#auto_shutdown_wait = "30"\n', -90, ()),
        ("user = 'root'\n", -10, ()),  # libvirt before 11.2 has no such setting
        ('#auto_shutdown_wait = "30"\n', 3600, ()),  # a clock was wrong
    ],
)
def test_which_daemons_are_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    written: float,
    behind: tuple[str, ...],
) -> None:
    conf, now = tmp_path / "qemu.conf", time.time()
    conf.write_text(text)
    os.utime(conf, (now + written, now + written))
    at(monkeypatch, conf, now - 60)
    assert asyncio.run(gathering.look()).behind == behind


def test_without_an_answer_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> AutoShutdown:
        raise BusError("gone", "it is gone")

    monkeypatch.setattr(gathering, "look", fails)
    with pytest.raises(NotSeen, match="systemd does not answer: it is gone"):
        gathering.gather(None)  # type: ignore[arg-type]  # it needs nothing of it
