"""What libvirt-guests and libvirt are set to, as settings of guestctl."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from guestctl.config import from_host, from_libvirt_guests
from guestctl.config.drop_in import drop_in
from guestctl.config.from_host import OfHost
from guestctl.config.importing import Imported
from guestctl.config.reading import read_files, read_text
from guestctl.host import shell_settings
from guestctl.host.libvirt import conf_file

FILE, SCRIPT, CONF = Path("/etc/default/libvirt-guests"), Path("/lib/script.sh"), Path("/qemu.conf")
UPSTREAM = """\
URIS="default"
ON_BOOT="start"
ON_SHUTDOWN="suspend"
SHUTDOWN_TIMEOUT=300
PARALLEL_SHUTDOWN=0
START_DELAY=0
BYPASS_CACHE=0
SYNC_TIME=0
PERSISTENT_ONLY="default"
"""
DEBIAN = UPSTREAM.replace('"start"', '"ignore"').replace('"suspend"', '"shutdown"')


def of(guests: str | None, script: str | None = DEBIAN, conf: str | None = None) -> Imported:
    """What these texts are here."""
    names = set(from_libvirt_guests.UPSTREAM)
    return from_host.imported(
        OfHost(
            None if guests is None else shell_settings.read(guests, FILE),
            None if script is None else shell_settings.read_defaults(script, SCRIPT, names),
            None if conf is None else conf_file.read(conf, CONF),
        )
    )


def values(found: Imported) -> dict[str, Any]:
    """What the configuration has with the drop-in."""
    assert found.problems == ()
    nothing = read_files([])
    reading = read_text(drop_in(found, nothing, nothing, [FILE]).text, FILE)
    assert reading.problems == ()
    config = reading.sound()
    return {**vars(config.shutdown), **vars(config.boot), **vars(config.general)}


#: What is in the file, and what comes of it; what is not named is as under nothing but defaults.
OF_DEBIAN: dict[str, Any] = {
    "uris": ("default",),
    "save": "none",
    "shutdown": "all",
    "poweroff": "none",
    "shutdown_timeout": 300.0,
    "parallel_shutdowns": 1,
    "bypass_cache": False,
    "restore": False,
    "sync_time": False,
    "start_delay": 0.0,
    "start_bypass_cache": False,
    "deadline": 1500.0,
}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    (
        "URIS='lxc:///system qemu:///system qemu:///session'",
        {"uris": ("lxc:///system", "qemu:///system")},
    ),
    ("URIS='default qemu+ssh://far/system none'", {}),
    ("LIBVIRT_DEFAULT_URI=lxc:///system", {"uris": ("lxc:///system",)}),
    ("PARALLEL_SHUTDOWN=1", {}),
    ("PARALLEL_SHUTDOWN=2", {"parallel_shutdowns": 2, "deadline": 300.0}),
    (
        "PARALLEL_SHUTDOWN=2 SHUTDOWN_TIMEOUT=1700",
        {"parallel_shutdowns": 2, "shutdown_timeout": 1700.0, "deadline": 1620.0},
    ),
    (
        "PARALLEL_SHUTDOWN=2 SHUTDOWN_TIMEOUT=0",
        {"parallel_shutdowns": 2, "shutdown_timeout": math.inf},
    ),
    ("SHUTDOWN_TIMEOUT=0", {"shutdown_timeout": math.inf}),
    ("SHUTDOWN_TIMEOUT=45", {"shutdown_timeout": 45.0}),
    ("PERSISTENT_ONLY=true", {"shutdown": "persistent"}),
    ("PERSISTENT_ONLY=no", {}),
    ("BYPASS_CACHE=1", {"bypass_cache": True}),
    ("BYPASS_CACHE=", {"bypass_cache": True}),
    ("SYNC_TIME=1", {"sync_time": True}),
    ("START_DELAY=5", {}),
    ("ON_BOOT=start", {"restore": True}),
    (
        "ON_BOOT=start START_DELAY=5 BYPASS_CACHE=1",
        {"restore": True, "start_delay": 5.0, "bypass_cache": True, "start_bypass_cache": True},
    ),
    ("ON_BOOT=start START_DELAY='1m 1.5'", {"restore": True, "start_delay": 61.5}),
    ("ON_BOOT=start START_DELAY=2h", {"restore": True, "start_delay": 3600.0}),
    ("ON_BOOT=yes ON_SHUTDOWN=shutdown", {}),
]
SUSPENDED = {
    "save": "persistent",
    "save_timeout": math.inf,
    "shutdown": "persistent",
    "parallel_shutdowns": None,
}


@pytest.mark.parametrize(("text", "different"), CASES)
def test_libvirt_guests_of_debian(text: str, different: dict[str, Any]) -> None:
    found = values(of(text))
    expected = {**OF_DEBIAN, **different}
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("word", ["suspend", "save", ""])
def test_whatever_is_not_shutdown_suspends(word: str) -> None:
    found = values(of(f"ON_SHUTDOWN={word} PARALLEL_SHUTDOWN=3"))
    expected = {**OF_DEBIAN, **SUSPENDED}
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("script", [UPSTREAM, None])
def test_upstreams_defaults_count_where_its_script_is_there_or_none(script: str | None) -> None:
    found = of("", script)
    expected = {**OF_DEBIAN, **SUSPENDED, "restore": True}
    assert {key: values(found)[key] for key in expected} == expected
    assert ("there is no libvirt-guests.sh" in " ".join(found.remarks)) == (script is None)


def test_each_value_has_where_it_is_from() -> None:
    text = made("\nON_SHUTDOWN=suspend\n")
    assert f"# ON_SHUTDOWN=suspend ({FILE}:2)\n#save = " in text
    assert f"# URIS=default (the default, {SCRIPT}:1)\nuris = " in text
    assert '# libvirt-guests pulls no plug\npoweroff = "none"' in text


def made(guests: str, others: tuple[Path, ...] = (), later: tuple[Path, ...] = ()) -> str:
    parts = (read_files(others), read_files(later))
    return drop_in(of(guests), *parts, [FILE]).text


def test_what_another_file_says_otherwise_is_written_out(tmp_path: Path) -> None:
    """The default alone would not count there; nor does what a later file sets otherwise."""
    file = tmp_path / "some.toml"
    file.write_text("[shutdown]\nsave = 'none'\n")
    text = made("ON_SHUTDOWN=suspend", others=(file,))
    assert '\nsave = "persistent"\n' in text
    text = made("ON_SHUTDOWN=suspend", later=(file,))
    said = " ".join(line.removeprefix("#").strip() for line in text.splitlines())
    assert f'- {file}:2 is read later, and its shutdown.save = "none" counts' in said


REMARKS = [
    ("URIS='default qemu+ssh://far/system'", f"({FILE}:1): qemu+ssh://far/system is left out"),
    ("URIS='default none'", "none is left out, it is no URI"),
    ("PARALLEL_SHUTDOWN=0", "gives each guest its timeout"),
    ("ON_SHUTDOWN=suspend PARALLEL_SHUTDOWN=2", "without effect where guests are suspended"),
    ("ON_SHUTDOWN=suspend", "a guest whose save fails is left running"),
    ("ON_BOOT=start START_DELAY=2h", "an hour is the most"),
    ("PARALLEL_SHUTDOWN=2 SHUTDOWN_TIMEOUT=5", "as deadline of all guests 10s is nearest"),
]


@pytest.mark.parametrize(("text", "said"), REMARKS)
def test_what_has_no_equal_is_said(text: str, said: str) -> None:
    assert said in "\n".join(of(text).remarks)


def test_a_setting_that_the_script_does_not_know_is_said() -> None:
    old = DEBIAN.replace("PERSISTENT_ONLY", "OTHER")
    found = of("PERSISTENT_ONLY=true", old)
    assert values(found)["shutdown"] == "all"
    assert "PERSISTENT_ONLY=true" in found.remarks[0]
    assert "does not know it" in found.remarks[0]


PROBLEMS = [
    ("URIS=", "URIS: it names no connection"),
    ("URIS=qemu+ssh://far/system", "URIS: it names no connection"),
    ("SHUTDOWN_TIMEOUT=-1", "SHUTDOWN_TIMEOUT: less than 0"),
    ("SHUTDOWN_TIMEOUT=5m", "SHUTDOWN_TIMEOUT: expected a whole number"),
    ("SHUTDOWN_TIMEOUT=010", "SHUTDOWN_TIMEOUT: expected a whole number"),
    ("PARALLEL_SHUTDOWN=all", "PARALLEL_SHUTDOWN: expected a whole number"),
    ("ON_BOOT=start START_DELAY=x", "START_DELAY: expected a number of seconds"),
]


@pytest.mark.parametrize(("text", "said"), PROBLEMS)
def test_what_nothing_can_be_made_of(text: str, said: str) -> None:
    (problem,) = of(text).problems
    assert str(problem).startswith(f"{FILE}:1: {said}")


# qemu.conf

AUTO_SHUTDOWN = 'auto_shutdown_try_save = "persistent"\n'


def test_the_auto_shutdown() -> None:
    conf = f"""{AUTO_SHUTDOWN}auto_shutdown_try_shutdown = "all"
auto_shutdown_wait = 0
auto_shutdown_restore = 0
auto_save_bypass_cache = 1
auto_start_bypass_cache = 1
auto_start_delay = 1500
"""
    found = values(of(None, conf=conf))
    expected = {
        "save": "persistent",
        "shutdown": "all",
        "poweroff": "none",
        "shutdown_timeout": 30.0,
        "restore": False,
        "bypass_cache": True,
        "start_bypass_cache": True,
        "start_delay": 1.5,
    }
    assert {key: found[key] for key in expected} == expected


def test_an_auto_shutdown_that_is_off_is_left_out() -> None:
    found = of(None, conf='auto_shutdown_try_save = "none"\nauto_shutdown_wait = 7\n')
    assert [it.key for it in found.settings] == ["bypass-cache", "start-delay"]
    assert of(None, conf="auto_shutdown_wait = 7\n") == of(None, conf="")


def test_with_both_on_libvirt_guests_counts_and_it_is_said() -> None:
    found = of("", conf=AUTO_SHUTDOWN)
    assert values(found)["save"] == "none"
    assert "both on" in "\n".join(found.remarks)


def test_how_flagged_guests_start_counts_beside_libvirt_guests() -> None:
    conf = "auto_start_delay = 2000\nauto_start_bypass_cache = 1\n"
    found = values(of("", conf=conf))
    assert (found["start_delay"], found["start_bypass_cache"]) == (2.0, True)


def test_one_way_to_start_guests_is_left() -> None:
    """The longer delay; else what libvirt-guests does, and what is left out is said."""
    conf = "auto_start_delay = 2000\nauto_start_bypass_cache = 1\n"
    found = of("ON_BOOT=start START_DELAY=1", conf=conf)
    assert values(found)["start_delay"] == 2.0
    assert values(found)["start_bypass_cache"] is False
    said = "\n".join(found.remarks)
    assert f"START_DELAY=1 ({FILE}:1) is left out" in said
    assert f"auto_start_bypass_cache=1 ({CONF}:2) is left out" in said
    assert values(of("ON_BOOT=start START_DELAY=3", conf=conf))["start_delay"] == 3.0


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ('auto_shutdown_try_save = "all"', "expected one of none, persistent"),
        (f"{AUTO_SHUTDOWN}auto_shutdown_wait = -1", "expected a whole number"),
        (f"{AUTO_SHUTDOWN}auto_shutdown_restore = 2", "expected 0 or 1"),
        ('auto_start_delay = "5"', "expected a whole number"),
    ],
)
def test_mistakes_in_qemu_conf(conf: str, said: str) -> None:
    (problem,) = of(None, conf=conf).problems
    assert str(problem).startswith(f"{CONF}:")
    assert said in str(problem)
