"""The sample configuration: it is made from the table of settings, and it is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from guestctl.config.config import Config, GuestOverride
from guestctl.config.reading import read
from guestctl.config.settings import SECTIONS, SETTINGS
from guestctl.model.options import Scope
from tools.sample import sample

SHIPPED = Path(__file__).parent.parent.parent / "etc/guestctl/guestctl.toml"
_SETTING_LINE = re.compile(r"^#(?=[a-z-]+ = )", re.MULTILINE)


def _settings_and_guests() -> tuple[str, str]:
    """The sample up to its [[guest]] example, and that and what follows, both uncommented."""
    settings, found, guests = sample().partition("#[[guest]]")
    assert found
    tables = guests.replace("#[profile", "[profile")
    return _SETTING_LINE.sub("", settings), _SETTING_LINE.sub("", f"[[guest]]{tables}")


def test_the_shipped_file_is_the_sample() -> None:
    assert SHIPPED.read_text() == sample()


def test_the_shipped_file_changes_nothing() -> None:
    assert read(SHIPPED).sound() == Config()


def test_every_setting_line_uncommented_says_the_default(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(_settings_and_guests()[0])
    assert read(file).sound() == Config()


def test_every_setting_stands_in_it_once_in_its_section() -> None:
    table = tomllib.loads(_settings_and_guests()[0])
    top = [key for key in table if key not in SECTIONS]
    found = {"": top} | {section: list(table[section]) for section in SECTIONS if section}
    assert found == {
        section: [row.key for row in SETTINGS if row.section == section] for section in SECTIONS
    }


def test_the_example_for_guests_is_right(tmp_path: Path) -> None:
    file = tmp_path / "guests.toml"
    file.write_text(_settings_and_guests()[1])
    config, values = read(file).sound(), {"shutdown_timeout": 300.0, "poweroff": Scope.NONE}
    assert config.guests == (GuestOverride("db-*", values),)
    assert config.profiles == {"reboot": {"save": Scope.NONE}, "ups": {"deadline": 180.0}}


def test_each_meaning_and_what_is_expected_can_be_read_in_it() -> None:
    comments = " ".join(sample().replace("\n#", "").split())
    for row in SETTINGS:
        assert row.meaning in comments
        assert f"Expected: {row.kind.expected}." in comments
