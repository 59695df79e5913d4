"""Notes for libvirt's hook, and the hook itself, as libvirt calls it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from guestctl.host import held_starts
from guestctl.host.held_starts import HeldStarts
from guestctl.model.record import GuestRecord
from tests.command import PROJECT
from tests.unit.makers import recorded

HOOK = PROJECT / "etc/libvirt/hooks/qemu.d/guestctl"
WHY = "its save is stale: /a has changed"
WEB = recorded(hold=WHY, held_for_save=True)
XML = f"""<domain type='qemu' id='3'>
  <name>web</name>
  <uuid>{WEB.id.uuid}</uuid>
  <metadata><uuid>of something else</uuid></metadata>
</domain>
"""


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hook, with folders of the test's own; a guestctl is installed, and web has a save."""
    image = tmp_path / "web.save"
    image.touch()
    monkeypatch.setattr(held_starts, "save_image", lambda uri, name: tmp_path / f"{name}.save")
    (tmp_path / "guestctl").touch(mode=0o755)
    text = HOOK.read_text().replace("/usr/bin/guestctl", str(tmp_path / "guestctl"))
    script = tmp_path / "hook"
    script.write_text(text.replace("/run/guestctl", str(tmp_path)))
    return script


def call(hook: Path, *event: str, xml: str = XML) -> tuple[int, str]:
    argv = ["/bin/sh", str(hook), "web", *(event or ("prepare", "begin")), "-"]
    done = subprocess.run(
        argv, input=xml, capture_output=True, text=True, timeout=10, check=False, env={}
    )
    assert done.stdout == ""  # libvirt takes it for another XML when it restores
    return done.returncode, done.stderr


def show(hook: Path, *records: GuestRecord) -> None:
    HeldStarts(hook.parent).show(records)


def test_a_held_guest_is_refused_with_the_reason(hook: Path) -> None:
    show(hook, WEB)
    assert call(hook) == (1, f"guestctl refuses to start web: {WHY}\n")


_SHOWS = """
import pathlib, sys
from guestctl.host.held_starts import HeldStarts
from guestctl.model.guest import GuestId
from guestctl.model.record import GuestRecord
guest = GuestId("qemu:///system", "some-uuid")
record = GuestRecord(guest, "g\\xe4st", hold="held", held_for_save=True)
HeldStarts(pathlib.Path(sys.argv[1])).show([record])
"""


def test_a_name_is_written_as_libvirt_has_it_whatever_the_locale_is(tmp_path: Path) -> None:
    """One name that the locale lacks left no note on anybody."""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    argv = [sys.executable, "-c", _SHOWS, str(tmp_path)]
    subprocess.run(argv, check=True, timeout=20, cwd=PROJECT, env=locale)
    image, _ = (tmp_path / "held/some-uuid").read_bytes().splitlines()
    assert image == "/var/lib/libvirt/qemu/save/gäst.save".encode()


@pytest.mark.parametrize(
    "event", [("start", "begin"), ("restore", "begin"), ("stopped", "end"), ("migrate", "begin")]
)
def test_what_is_no_start_goes_on(hook: Path, event: tuple[str, str]) -> None:
    show(hook, WEB)
    assert call(hook, *event) == (0, "")


def test_others_are_started(hook: Path) -> None:
    show(hook, WEB)
    other = XML.replace(WEB.id.uuid, "12345678-1234-1234-1234-123456789abc")
    assert call(hook, xml=other) == (0, "")


@pytest.mark.parametrize("xml", ["", "no XML", "<uuid>../web.save</uuid>", "<uuid></uuid>"])
def test_what_cannot_be_read_is_started(hook: Path, xml: str) -> None:
    show(hook, WEB)
    assert call(hook, xml=xml) == (0, "")


def test_a_guest_without_its_save_is_started(hook: Path) -> None:
    show(hook, WEB)
    (hook.parent / "web.save").unlink()
    assert call(hook) == (0, "")


def test_without_guestctl_nothing_is_refused(hook: Path) -> None:
    show(hook, WEB)
    (hook.parent / "guestctl").unlink()
    assert call(hook) == (0, "")


@pytest.mark.parametrize("note", ["", "no more than a line"])
def test_a_note_that_was_cut_off_refuses_nothing(hook: Path, note: str) -> None:
    show(hook, WEB)
    (hook.parent / "held" / WEB.id.uuid).write_text(note)
    assert call(hook) == (0, "")


def test_who_is_not_held_any_more_is_started(hook: Path) -> None:
    held = HeldStarts(hook.parent)
    held.show([WEB])
    held.show([])
    assert call(hook) == (0, "")
    held.show([WEB])
    assert call(hook)[0] == 1


def test_notes_that_another_process_left_go(hook: Path) -> None:
    show(hook, WEB)
    show(hook)
    assert call(hook) == (0, "")


def test_notes_that_another_process_removed_are_written_again(hook: Path) -> None:
    held = HeldStarts(hook.parent)
    held.show([WEB])
    show(hook)
    held.show([WEB])
    assert call(hook)[0] == 1


def test_a_reason_of_several_lines_is_one(hook: Path) -> None:
    show(hook, replace(WEB, hold="a\nb"))
    assert call(hook) == (1, "guestctl refuses to start web: a b\n")


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "held").touch()
    HeldStarts(tmp_path).show([WEB])


def test_only_qemus_guests_of_the_system_have_a_note(tmp_path: Path) -> None:
    """Only there libvirt has hooks, and is it known where its saves are."""
    show(tmp_path / "hook", replace(WEB, id=WEB.id._replace(uri="test:///default")))
    assert not (tmp_path / "held").exists()
