"""libvirt's auto-shutdown as a step of a takeover: file, daemons, scopes; and back."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.control.failure import RequestError
from guestctl.control.local import Local
from guestctl.control.takeover import auto_shutdown as module
from guestctl.control.takeover.step import StepFailed
from guestctl.host import daemons, scopes, unit_files
from guestctl.host.bus import BusError
from guestctl.host.libvirt import auto_shutdown
from guestctl.model.guest import State
from guestctl.model.host_auto_shutdown import GuestScope
from guestctl.runs.context import Inventory
from tests.unit.makers import guest

ON = 'auto_shutdown_try_save = "persistent"\n'
UNIT = "libvirtd.service"
HERE = Local(Config(), (), print)


class Host:
    """qemu.conf, one daemon that read it some time, the order of scopes."""

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.began = time.time()
        self.scopes = {"a": True}
        self.said: list[str] = []
        self.fails = False

    def wrote(self, text: str, ago: float) -> None:
        self.conf.write_text(text)
        at = self.began - ago
        os.utime(self.conf, (at, at))

    async def daemons(self) -> dict[str, float]:
        return {UNIT: self.began}

    async def of_guests(self) -> tuple[GuestScope, ...]:
        if self.fails:
            raise BusError("gone", "it is gone")
        return tuple(GuestScope(f"{name}.scope", name, out) for name, out in self.scopes.items())

    def restart(self, _unit: str) -> None:
        self.began = time.time() + 0.01

    def order(self, units: list[str], *, outlive_daemon: bool) -> None:
        self.scopes |= {unit.removesuffix(".scope"): outlive_daemon for unit in units}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path / "qemu.conf")
    for name in ("switched_on", "switch_off", "switch_on", "is_marked", "is_known", "written_at"):
        real = getattr(auto_shutdown, name)
        monkeypatch.setattr(auto_shutdown, name, lambda real=real: real(host.conf))
    monkeypatch.setattr(module, "library_version", lambda: 12_008_000)
    monkeypatch.setattr(daemons, "qemu_daemons_since", host.daemons)
    monkeypatch.setattr(scopes, "of_guests", host.of_guests)
    monkeypatch.setattr(scopes, "put_in_order", host.order)
    monkeypatch.setattr(unit_files, "try_restart", host.restart)
    return host


def test_off_in_the_file_in_the_daemon_and_in_scopes_and_back(host: Host) -> None:
    host.wrote(ON, ago=60)
    step = module.step(HERE)
    assert not step.is_done()
    before = step.look()
    assert before == {"settings": [ON.strip()]}
    step.do(host.said.append)
    assert step.is_done()
    assert not step.back_already(before)
    assert host.scopes == {"a": False}
    assert [word for word in ("comment", "restarted", "a: their") if word in str(host.said)] != []
    host.began -= 30
    step.undo(before, host.said.append)
    assert host.conf.read_text() == ON
    assert host.scopes == {"a": True}
    assert step.back_already(before)


def test_killed_between_the_file_and_the_restart(host: Host) -> None:
    host.wrote(ON, ago=60)
    auto_shutdown.switch_off()
    host.began -= 30
    host.scopes = {}
    step = module.step(HERE)
    assert not step.is_done()
    step.do(host.said.append)
    assert step.is_done()


def test_somebody_else_has_switched_it_off_and_restarted_nothing(host: Host) -> None:
    host.scopes = {}
    host.wrote(f"#{ON}", ago=30)
    host.began -= 60
    step = module.step(HERE)
    assert not step.is_done()
    step.do(host.said.append)
    assert step.is_done()
    assert f"{UNIT} is restarted" in str(host.said)


@pytest.mark.parametrize(("text", "ago"), [("user = 'root'\n", 30), (f"#{ON}", 90)])
def test_there_was_nothing_to_do(host: Host, text: str, ago: float) -> None:
    """libvirt before 11.2 has no such setting in its file: no daemon is restarted for it."""
    host.scopes = {"a": False}
    host.wrote(text, ago)
    host.began -= 60
    assert module.step(HERE).is_done()
    assert module.step(HERE).back_already(None)


def test_a_file_from_the_future_says_nothing(host: Host) -> None:
    host.scopes = {}
    host.wrote(f"#{ON}", ago=-3600)
    assert module.step(HERE).is_done()


def test_without_an_answer_it_is_not_called_done(host: Host) -> None:
    host.wrote("", ago=60)
    host.fails = True
    with pytest.raises(StepFailed, match="cannot ask systemd: it is gone"):
        module.step(HERE).is_done()


def test_scopes_that_cannot_be_changed_are_said(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(scopes, "put_in_order", fail)
    host.wrote("", ago=60)
    with pytest.raises(StepFailed, match="save and start each"):
        module.step(HERE).do(host.said.append)


@pytest.mark.parametrize("reason", ["saving", "migrating"])
def test_no_daemon_is_restarted_in_a_save_of_somebody_else(
    host: Host, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def read(_: Local) -> Inventory:
        return Inventory((guest("a", state=State.PAUSED, reason=reason), guest("b", 2)), {})

    monkeypatch.setattr(Local, "read", read)
    host.wrote(ON, ago=60)
    began = host.began
    for change in (module.step(HERE).do, partial(module.step(HERE).undo, None)):
        with pytest.raises(RequestError, match=r"a: just being saved, or migrated.*ask again"):
            change(host.said.append)
    assert (host.conf.read_text(), host.began) == (ON, began)
