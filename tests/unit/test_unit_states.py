"""Files of systemd's as they are read: drop-ins, and logind's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host.logind_conf import inhibit_delay
from guestctl.host.unit_states import drop_in, settings
from guestctl.model.host_units import Setting


def test_settings_of_a_file() -> None:
    text = "[Service]\n# no\nExecStop=\n  TimeoutStopSec = 5s\nAfter=a \\\n; no\n  b\n\nnonsense\n"
    assert list(settings(text)) == ["ExecStop=", "TimeoutStopSec = 5s", "After=a  b"]


def test_a_drop_in_that_cannot_be_read(tmp_path: Path) -> None:
    assert drop_in(tmp_path / "gone.conf").trouble == "No such file or directory"


def write(root: Path, name: str, value: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[Login]\nInhibitDelayMaxSec={value}\n")
    return str(path)


def test_no_file_sets_it(tmp_path: Path) -> None:
    assert inhibit_delay(tmp_path) is None
    path = tmp_path / "etc/systemd/logind.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[Login]\n#InhibitDelayMaxSec=5\nHandlePowerKey=ignore\n")
    assert inhibit_delay(tmp_path) is None


def test_the_first_of_the_main_files_counts(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/systemd/logind.conf", "9")
    etc = write(tmp_path, "etc/systemd/logind.conf", "7")
    assert inhibit_delay(tmp_path) == Setting(etc, "7")


@pytest.mark.parametrize("folder", ["usr/lib", "usr/local/lib", "run", "etc"])
def test_drop_ins_go_over_it_by_their_names_wherever_they_are(tmp_path: Path, folder: str) -> None:
    write(tmp_path, "etc/systemd/logind.conf", "7")
    write(tmp_path, "etc/systemd/logind.conf.d/10-mine.conf", "8")
    last = write(tmp_path, f"{folder}/systemd/logind.conf.d/unattended.conf", "30")
    assert inhibit_delay(tmp_path) == Setting(last, "30")


def test_a_drop_in_hides_those_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/systemd/logind.conf.d/a.conf", "30")
    mine = write(tmp_path, "etc/systemd/logind.conf.d/a.conf", "8")
    assert inhibit_delay(tmp_path) == Setting(mine, "8")
    Path(mine).unlink()
    Path(mine).symlink_to("/dev/null")
    assert inhibit_delay(tmp_path) is None


def test_an_empty_value_is_the_default_again(tmp_path: Path) -> None:
    write(tmp_path, "etc/systemd/logind.conf", "7")
    write(tmp_path, "etc/systemd/logind.conf.d/a.conf", "")
    assert inhibit_delay(tmp_path) is None
