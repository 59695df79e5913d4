"""`import`: which files count, and what is written where."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

import pytest

from guestctl.cli.importing import import_verb
from guestctl.config import files
from guestctl.control import import_sources
from guestctl.control.failure import Failure, RequestError
from guestctl.host import given_files
from guestctl.host.libvirt import auto_shutdown, versions
from guestctl.model.host_units import RIVAL, HostWords, Unit
from tests.unit.command import Command
from tests.unit.test_importing import DEBIAN

ON, OFF = Unit("active", "enabled"), Unit("inactive", "disabled")
SCRIPT = f"{DEBIAN}. /etc/default/libvirt-guests\n"


class Host:
    """A host of files in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings, self.sysconfig = folder / "default", folder / "sysconfig"
        self.script, self.conf = folder / "libvirt-guests.sh", folder / "qemu.conf"
        self.drop_ins = folder / "conf.d"
        self._monkeypatch = monkeypatch
        self.script.write_text(SCRIPT)
        for module, name, value in (
            (files, "MAIN_FILE", folder / "guestctl.toml"),
            (files, "DROP_INS", self.drop_ins),
            (import_sources, "DEFAULT", self.settings),
            (import_sources, "SYSCONFIG", self.sysconfig),
            (import_sources, "SCRIPTS", (folder / "no.sh", self.script)),
            (auto_shutdown, "CONF", self.conf),
        ):
            monkeypatch.setattr(module, name, value)
        self.says(ON)

    def says(self, unit: Unit | None) -> None:
        """What systemd has of libvirt-guests."""
        words = HostWords(units={RIVAL: unit} if unit else {})
        self._monkeypatch.setattr(import_sources, "ask", lambda: words)

    @property
    def made(self) -> Path:
        return self.drop_ins / "50-imported.toml"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


NONE: dict[str, object] = {
    "libvirt_guests": None,
    "qemu_conf": None,
    "proxmox": [],
    "incus": None,
    "dry_run": False,
    "force": False,
    "json": False,
}


def run(**options: object) -> int:
    return import_verb(Namespace(**{**NONE, **options}))


def test_what_counts_on_this_host_is_written(host: Host) -> None:
    host.settings.write_text("SHUTDOWN_TIMEOUT=7\n")
    host.conf.write_text("auto_start_delay = 2000\n")
    assert run() == 0
    text = host.made.read_text()
    assert f'# SHUTDOWN_TIMEOUT=7 ({host.settings}:1)\nshutdown-timeout = "7s"\n' in text
    assert 'start-delay = "2s"' in text
    assert host.made.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in host.drop_ins.iterdir()] == ["50-imported.toml"]


def test_the_script_says_which_file_it_reads(host: Host) -> None:
    host.settings.write_text("SHUTDOWN_TIMEOUT=7\n")
    host.sysconfig.write_text("SHUTDOWN_TIMEOUT=8\n")
    host.script.write_text(SCRIPT.replace("default/", "sysconfig/"))
    run()
    assert 'shutdown-timeout = "8s"' in host.made.read_text()


@pytest.mark.parametrize("unit", [OFF, Unit("inactive", ""), Unit("failed", "masked"), None])
def test_libvirt_guests_that_is_off_is_left_out_and_said(
    host: Host, capsys: pytest.CaptureFixture[str], unit: Unit | None
) -> None:
    host.settings.write_text("SHUTDOWN_TIMEOUT=7\n")
    host.says(unit)
    assert run() == 0
    out, err = capsys.readouterr()
    assert "nothing is to be written" in out
    assert f"--libvirt-guests {host.settings} takes them" in err
    assert not host.made.exists()
    assert run(libvirt_guests=host.settings) == 0
    assert 'shutdown-timeout = "7s"' in host.made.read_text()


@pytest.mark.parametrize("unit", [Unit("active", "disabled"), Unit("inactive", "enabled")])
def test_it_is_on_where_it_is_active_or_enabled(host: Host, unit: Unit) -> None:
    host.says(unit)
    run()
    assert 'save = "none"' in host.made.read_text()


def test_an_auto_shutdown_that_libvirt_does_not_know_is_left_out_and_said(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host.says(OFF)
    host.conf.write_text('auto_shutdown_try_shutdown = "persistent"\n')
    monkeypatch.setattr(versions, "client", lambda: (9, 0, 0))
    run()
    assert "left out, which libvirt 9.0.0 does not know" in capsys.readouterr().err
    assert not host.made.exists()
    monkeypatch.setattr(versions, "client", lambda: (11, 3, 0))
    run()
    assert 'shutdown = "persistent"' in host.made.read_text()


def test_a_dry_run_prints_and_writes_nothing(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(dry_run=True) == 0
    assert 'save = "none"' in capsys.readouterr().out
    assert not host.made.exists()


def test_a_file_that_is_there_stays_without_force(host: Host) -> None:
    run()
    run()  # as it is to be already
    host.made.write_text("[shutdown]\nparallel = 2\n")
    with pytest.raises(RequestError, match=r"there is .*50-imported.toml already; --force") as no:
        run()
    assert no.value.failure is Failure.WRONG_REQUEST
    assert host.made.read_text() == "[shutdown]\nparallel = 2\n"
    run(force=True)
    assert "parallel = 2" not in host.made.read_text()


def test_nothing_replaces_what_is_there_where_a_file_is_not_understood(host: Host) -> None:
    run()
    before = host.made.read_text()
    host.settings.write_text("\nURIS=$(uris)\n")
    with pytest.raises(RequestError, match=f"cannot import: {host.settings}:2: a shell would"):
        run(force=True)
    host.settings.write_text("SHUTDOWN_TIMEOUT=x\nPARALLEL_SHUTDOWN=y\n")
    with pytest.raises(RequestError) as refused:
        run(force=True)
    lines = str(refused.value).splitlines()
    assert [f"{host.settings}:{n}: " in line for n, line in enumerate(lines, 1)] == [True, True]
    assert host.made.read_text() == before


def test_a_disk_that_is_full_leaves_what_was_there(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    host.settings.write_text("SHUTDOWN_TIMEOUT=7\n")
    before = host.made.read_text()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestError, match=r"cannot write .*No space left on device") as failed:
        run(force=True)
    assert failed.value.failure is Failure.NOT_ALL_WELL
    assert host.made.read_text() == before


def test_a_link_in_its_place_is_replaced_and_not_followed(host: Host, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    host.drop_ins.mkdir()
    host.made.symlink_to(elsewhere)
    run(force=True)
    assert elsewhere.read_text() == "mine"
    assert not host.made.is_symlink()


def test_the_command(command: Command) -> None:
    file = command.home / "settings"
    file.write_text("ON_SHUTDOWN=suspend\n")
    shown = command.run("import", "--dry-run", "--libvirt-guests", file).stdout
    assert f'# ON_SHUTDOWN=suspend ({file}:1)\n#save = "persistent"\n' in shown
    options = ("--dry-run", "--json", "--libvirt-guests", file)
    said = json.loads(command.run("import", *options).stdout)
    assert said["text"] == shown
    assert said["settings"][1]["value"] == "persistent"
    if os.geteuid() == 0:  # the command's user is nobody then
        refused = command.run("import", "--libvirt-guests", file, status=3)
        assert "only root may; --dry-run shows what would be written" in refused.stderr
    missing = command.run("import", "--qemu-conf", file.with_name("none"), status=2)
    assert "none cannot be read: No such file or directory" in missing.stderr


def test_a_file_that_only_root_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Debian has qemu.conf."""

    def refuse(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(given_files, "read_text", refuse)
    with pytest.raises(RequestError, match="Permission denied; root may, use sudo") as told:
        import_sources.gather(import_sources.Sources(qemu_conf=tmp_path))
    assert told.value.failure is Failure.NOT_PERMITTED
