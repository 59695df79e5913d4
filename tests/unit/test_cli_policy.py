"""`guestctl policy`, and mistakes in metadata as other verbs show them."""

from __future__ import annotations

from guestctl.config import reading
from guestctl.config.config import Config
from guestctl.config.settings import GUEST_SETTINGS
from guestctl.control.facts_text import to_text
from guestctl.control.guest_settings import with_places
from guestctl.decisions.findings import of_guests
from guestctl.decisions.host_facts import HostFacts, rows_of
from guestctl.model.guest import DomainInfo, OwnSetting
from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.makers import BOOT, URI, guest

OWN = DomainInfo(
    disks=(),
    policy=(OwnSetting("save", "none"), OwnSetting("order", "3"), OwnSetting("retries", "many")),
)
MISTAKE = 'retries: expected a whole number from 0 to 100, not "many"'


def facts() -> HostFacts:
    web = guest("web", info=OWN)
    return HostFacts(BOOT, 10**18, (URI,), True, True, Config(), guests=(web,), may_see=True)


def test_each_setting_and_where_it_comes_from(command: Command) -> None:
    file = command.home / "one.toml"
    file.write_text("[boot]\nretries = 7\n")
    lines = command.run("policy", "test", "--config", file, "-c", TEST).stdout.splitlines()
    assert lines[0] == f"test, {TEST_UUID} on {TEST}"
    assert [line.split()[0] for line in lines[2:]] == [row.guest_key for row in GUEST_SETTINGS]
    assert next(line.split() for line in lines if "retries" in line) == [
        "retries",
        "7",
        f"{file}:2",
    ]
    assert next(line.split() for line in lines if "restore" in line) == [
        "restore",
        "true",
        "default",
    ]


def test_in_json(command: Command) -> None:
    found = command.json("policy", TEST_UUID)
    assert (found["name"], found["problems"], found["profiles"]) == ("test", [], {})
    save = found["settings"][0]
    assert save == {
        "key": "save",
        "value": "persistent",
        "from": "default",
        "file": None,
        "line": None,
    }


def test_a_guest_that_there_is_not(command: Command) -> None:
    result = command.run("policy", "tets", "-c", TEST, status=2)
    assert result.stderr == (
        'guestctl: cannot find "tets": no guest has this name or UUID; did you mean "test"?\n'
    )


def test_what_comes_of_metadata_and_of_tables() -> None:
    found = reading.read_files([])
    settings = with_places(found, guest("web", info=OWN))
    entries = {entry.key: entry for entry in settings.entries}
    assert (entries["save"].value, str(entries["save"].place)) == ('"none"', "the metadata of web")
    assert (entries["order"].value, entries["retries"].place) == ("3", None)
    assert settings.problems == (MISTAKE,)


def test_list_problems_names_it() -> None:
    (finding,) = of_guests(facts(), rows_of(facts()))
    assert MISTAKE in finding.text
    assert finding.command == "guestctl policy web"


def test_a_plan_names_it_and_goes_on(command: Command) -> None:
    file = command.home / "facts.toml"
    file.write_text(to_text(facts()))
    result = command.run("plan", "--facts", file)
    assert result.stderr == f"guestctl: the metadata of web: {MISTAKE}: it counts as not given\n"
    assert 'policy has save = "none"' in result.stdout
