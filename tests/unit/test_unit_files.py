"""Units switched by systemctl, and their drop-ins."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from guestctl.host import unit_files
from guestctl.host.unit_files import SystemctlFailed


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name that says what it was called with; tests change it."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >> "$0.called"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def called(program: Path) -> list[str]:
    return program.with_name("systemctl.called").read_text().splitlines()


def test_what_systemctl_is_told(systemctl: Path) -> None:
    unit_files.enable("a.service")
    unit_files.enable("a.service", runtime=True)
    unit_files.disable("a.service", runtime=True)
    unit_files.reload()
    unit_files.start("a.service", "b.service")
    unit_files.stop("a.service")
    unit_files.forget_starts("a.service")
    assert [line.removeprefix("--no-pager --no-ask-password ") for line in called(systemctl)] == [
        "enable -- a.service",
        "enable --runtime -- a.service",
        "disable --runtime -- a.service",
        "daemon-reload",
        # A start must not cancel the stop of the host that is queued.
        "start --job-mode=fail -- a.service b.service",
        "stop -- a.service",
        "reset-failed -- a.service",
    ]


def test_properties(systemctl: Path) -> None:
    systemctl.write_text("#!/bin/sh\necho LoadState=loaded\necho 'ExecStop={ path=/x ; a=b }'\n")
    said = unit_files.show("a.service", "LoadState", "ExecStop", "ExecStopPost")
    assert said == {"LoadState": "loaded", "ExecStop": "{ path=/x ; a=b }", "ExecStopPost": ""}


def test_why_it_failed(systemctl: Path) -> None:
    systemctl.write_text("#!/bin/sh\necho 'Unit a.service is masked.' >&2\nexit 1\n")
    with pytest.raises(SystemctlFailed) as failed:
        unit_files.start("a.service")
    said = "cannot systemctl start --job-mode=fail a.service: Unit a.service is masked."
    assert str(failed.value) == said


def test_there_is_none(systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl.unlink()
    monkeypatch.setenv("PATH", str(systemctl.parent))
    with pytest.raises(SystemctlFailed, match="daemon-reload: No such file or directory"):
        unit_files.reload()


def test_one_that_hangs_is_given_up(systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(unit_files, "STOP_LIMIT", 0.1)
    with pytest.raises(SystemctlFailed, match=r"stop a\.service: it took longer than 0\.1 s"):
        unit_files.stop("a.service")


def test_ctrl_c_at_the_terminal_is_not_for_it(systemctl: Path) -> None:
    systemctl.write_text(f"#!/bin/sh\nkill -{signal.SIGINT} 0\necho LoadState=loaded\n")
    with pytest.raises(SystemctlFailed):  # it has ended itself, and not us
        unit_files.show("a.service", "LoadState")


def test_a_drop_in_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "a.service.d/guestctl.conf"
    unit_files.write_drop_in(file, "[Service]\n")
    assert file.read_text() == "[Service]\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert unit_files.remove_drop_in(file)
    assert not file.parent.exists()
    assert not unit_files.remove_drop_in(file)


def test_the_folder_stays_with_others_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.service.d/guestctl.conf"
    unit_files.write_drop_in(file, "[Service]\n")
    file.with_name("other.conf").write_text("")
    assert unit_files.remove_drop_in(file)
    assert file.with_name("other.conf").exists()


@pytest.mark.thorough
def test_what_is_under_way_as_we_are_told_to_end_is_waited_for(systemctl: Path) -> None:
    """What undoes it must not run beside it."""
    told = f"sleep 0.2; kill -{signal.SIGINT} $PPID; sleep 0.2; : > $0.through"
    systemctl.write_text(f"#!/bin/sh\n{told}\n")
    program = "from guestctl.host import unit_files; unit_files.reload()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGINT
    assert systemctl.with_name("systemctl.through").exists()
