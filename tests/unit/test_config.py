"""Configuration files to settings, or to every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.problems import ConfigError, Place, Problem
from guestctl.config.reading import read
from guestctl.config.settings import (
    GUEST_SETTINGS,
    SETTINGS,
    Boot,
    General,
    Order,
    Shutdown,
    UserShutdown,
)
from guestctl.model.options import Method, Scope, Unverifiable, UserAction
from guestctl.model.readiness import Accepts, AgentAnswers, HasAddress, HasRun
from tests.unit.configuring import load, problems

# One file


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config(General(), Shutdown(), Boot(), ())


def test_every_setting_is_read_into_its_own_place(tmp_path: Path) -> None:
    text = """
        uris = ["qemu:///session", "test:///default"]
        metadata = false
        [shutdown]
        save = "none"
        shutdown = "persistent"
        poweroff = "transient"
        save-timeout = "1min"
        shutdown-timeout = "2min"
        job-timeout = "3min"
        methods = ["acpi"]
        parallel = 5
        parallel-shutdowns = 2
        bypass-cache = false
        save-reserve = "3MiB"
        shed = true
        settle = "3min"
        deadline = "4min"
        [boot]
        restore = false
        start-delay = "5s"
        parallel = 6
        retries = 7
        bypass-cache = true
        start-timeout = "8s"
        unverifiable = "hold"
        storage-timeout = "9s"
        start-retry = "11min"
        managed-elsewhere = true
        sync-time = false
        refuse-starts = false
        [user-shutdown]
        action = "restart"
        request-window = "10s"
        [order]
        after = ["fw", "db-*"]
        requires = ["nas"]
        order = 20
        ready = ["agent", "address", "tcp:5432", "delay:1min 30s"]
        ready-timeout = "7min"
    """
    assert load(tmp_path, text) == Config(
        General(("qemu:///session", "test:///default"), metadata=False),
        Shutdown(
            Scope.NONE,
            Scope.PERSISTENT,
            Scope.TRANSIENT,
            60.0,
            120.0,
            180.0,
            (Method.ACPI,),
            5,
            2,
            False,
            3 * 2**20,
            True,
            180.0,
            240.0,
        ),
        Boot(False, 5.0, 6, 7, True, 8.0, Unverifiable.HOLD, 9.0, 660.0, True, False, False),
        user_shutdown=UserShutdown(UserAction.RESTART, 10.0),
        order=Order(
            ("fw", "db-*"),
            ("nas",),
            20,
            (AgentAnswers(), HasAddress(), Accepts(5432), HasRun(90.0)),
            420.0,
        ),
    )
    # A setting that is new in the table belongs in the text above.
    assert all(f"{row.key} =" in text for row in SETTINGS)


def test_guest_tables_keep_their_order_and_their_values(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        [[guest]]
        match = "db-*"
        save = "none"
        start-delay = "30s"
        [[guest]]
        match = "db-1"
        """,
    )
    assert [override.match for override in found.guests] == ["db-*", "db-1"]
    assert found.guests[0].values == {"save": Scope.NONE, "start_delay": 30.0}
    assert found.guests[1].values == {}


def test_what_is_called_otherwise_in_a_guest_table_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, '[[guest]]\nmatch = "x"\naction = "restart"\n')
    assert (problem.key, problem.place.line) == ("guest[1].action", 3)
    assert 'it is called "user-shutdown"' in problem.message


@pytest.mark.parametrize("row", GUEST_SETTINGS, ids=lambda row: row.key)
def test_whatever_is_for_one_guest_may_stand_in_a_guest_table(tmp_path: Path, row: Any) -> None:
    text = f'[[guest]]\nmatch = "x"\n{row.guest_key} = {row.kind.show(row.default)}\n'
    assert load(tmp_path, text).guests[0].values == {row.name: row.default}


NOT_EVEN_TOML = [
    (b"\xff", None, "is not UTF-8 (byte 0)"),
    (b"[boot]\n# \xe9\n", None, "is not UTF-8 (byte 9)"),
    (b"[boot]\nretries = \x00\n", 2, "is not TOML"),
    (b"[boot]\n\nretries\n", 3, "is not TOML"),
    (b"[boot\n", 1, "is not TOML"),
    (b"[boot]\n[boot]\n", 2, "is not TOML"),
    (b"[boot]\nretries = 1\nretries = 2\n", 3, "is not TOML"),
    (b"\xef\xbb\xbf[boot]\n", 1, "is not TOML"),
    (b"a = 2020-13-45\n", 1, "is not TOML"),
    (b"x = " + b"[" * 5000, None, "is not TOML"),
    (b"x = " + b"[" * 5000 + b"]" * 5000, None, "is not TOML"),
]


@pytest.mark.parametrize(("content", "line", "message"), NOT_EVEN_TOML)
def test_what_is_not_toml(tmp_path: Path, content: bytes, line: int | None, message: str) -> None:
    (problem,) = problems(tmp_path, content)
    assert problem.place == Place(tmp_path / "one.toml", line)
    assert message in str(problem)


HOSTILE_TOML = {
    "decimal beyond what int() reads": "x = " + "1" * 5000,
    "number beyond what repr() writes": "uris = 0x" + "f" * 5000,
    "tables nested by dots": "uris." + "a." * 1500 + "a = 1",
    "nested arrays as a value": "uris = " + "[" * 100 + "]" * 100,
    "infinity": "boot.retries = inf",
    "date": "boot.retries = 1979-05-27",
    "empty keys": '"" = 1',
    "keys with anything": '"\\u0000\\n[x]" = 1',
}


@pytest.mark.parametrize("text", HOSTILE_TOML.values(), ids=HOSTILE_TOML.keys())
def test_hostile_toml_is_a_problem_like_any_other(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.place.file == tmp_path / "one.toml"
    assert len(str(problem)) < 500 + len(problem.key)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        read(tmp_path / "absent.toml").sound()


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path).sound()


# Problems: (text, line, key, what the message must say)

ONE_PROBLEM = [
    ("[shutdown]\nsvae = 1", 2, "shutdown.svae", 'unknown key; did you mean "save"?'),
    ("[shutdown]\nsave_timeout = 1", 2, "shutdown.save_timeout", 'did you mean "save-timeout"?'),
    ("urls = []", 1, "urls", 'did you mean "uris"?'),
    ("[shutdwon]\nsave = 1", 1, "shutdwon", "did you mean [shutdown]?"),
    ('save = "all"', 1, "save", "belongs in [shutdown]"),
    ("[boot]\nsave = 1", 2, "boot.save", "belongs in [shutdown]"),
    ("[shutdown]\nretries = 1", 2, "shutdown.retries", "belongs in [boot]"),
    ("[boot]\nuris = []", 2, "boot.uris", "belongs above all [sections]"),
    ("shutdown = 1", 1, "shutdown", "expected a table: [shutdown]"),
    ("[[boot]]", 1, "boot", "expected a table: [boot]"),
    ("boot = []", 1, "boot", "expected a table: [boot]"),
    ("[boot]\nretries = true", 2, "boot.retries", "expected a whole number from 0 to 100"),
    ("[boot]\nretries = 101", 2, "boot.retries", "not 101"),
    ("[boot]\nretries = 1.0", 2, "boot.retries", "not 1.0"),
    ("[boot]\nrestore = 1", 2, "boot.restore", "expected true or false, not 1"),
    ("[boot]\nstart-delay = -5", 2, "boot.start-delay", "not -5 (less than nothing)"),
    ('[boot]\nstart-delay = "soon"', 2, "boot.start-delay", 'not "soon"'),
    ("[boot]\nrestore = [1, 'a', true]", 2, "boot.restore", 'not [1, "a", true]'),
    ("[boot]\nretries = {a = 1979-05-27}", 2, "boot.retries", "not {a = 1979-05-27}"),
    ("[boot]\nzzzzz = 1", 2, "boot.zzzzz", "[boot] has restore, start-delay, parallel"),
    ("[bot]", 1, "bot", "unknown section; did you mean [boot]?"),
    ("[gest]", 1, "gest", "unknown section; did you mean [[guest]]?"),
    ("[[gest]]", 1, "gest", "unknown section; did you mean [[guest]]?"),
    ("[ups]", 1, "ups", "[user-shutdown], [order], [profile.NAME] and [[guest]]"),
    ("[boot.later]", 1, "boot.later", "there is none inside [boot]"),
    ("[shutdown]\ntimeout = 1", 2, "shutdown.timeout", '"save-timeout", "shutdown-timeout" or '),
    ('[[guest]]\nmatch = "x"\nname = "y"', 3, "guest[1].name", 'a guest is chosen by "match"'),
    ('[[guest]]\nmatch = "x"\ntimeout = "1s"', 3, "guest[1].timeout", '"job-timeout"'),
    ('[[guest]]\nmatch = "x"\nzzz = 1', 3, "guest[1].zzz", "[[guest]] has match, profile, save, "),
    ("[boot]\nstart-delay = 3m", 2, "", 'durations stand in quotes: "3m"'),
    ("[boot]\nstart-delay = 1h 30min # so", 2, "", 'durations stand in quotes: "1h 30min"'),
    ("[shutdown]\nsave-reserve = 2GiB\n", 2, "", 'sizes stand in quotes: "2GiB"'),
    ("[shutdown]\nsave = none", 2, "", 'text stands in quotes: "none"'),
    ("uris = qemu:///system", 1, "", 'text stands in quotes: "qemu:///system"'),
    ("[shutdown]\nmethods = [acpi]", 2, "", "in lists as well"),
    ("[boot]\nrestore = no", 2, "", "write false"),
    ("[boot]\nrestore = True", 2, "", "write true"),
    ('[shutdown]\ndeadline = "9s"', 2, "shutdown.deadline", "(less than 10s)"),
    ('[shutdown]\ndeadline = "9999d"', 2, "shutdown.deadline", "(longer than a year)"),
    ('[shutdown]\nsave = "transient"', 2, "shutdown.save", '"persistent", "none"'),
    ('[shutdown]\nsave = "All"', 2, "shutdown.save", 'not "All"'),
    ("[shutdown]\nmethods = []", 2, "shutdown.methods", "one or more of"),
    ('[shutdown]\nmethods = ["acpi", "acpi"]', 2, "shutdown.methods", "the same word twice"),
    ('[shutdown]\ndeadline = "infinity"', 2, "shutdown.deadline", "(it must have an end)"),
    ("[shutdown]\nsave-timeout = inf", 2, "shutdown.save-timeout", 'or "infinity"'),
    ('[shutdown]\njob-timeout = "infinity"', 2, "shutdown.job-timeout", "it must have an end"),
    ("[shutdown]\nparallel-shutdowns = 0", 2, "shutdown.parallel-shutdowns", 'or "none", not 0'),
    ("[shutdown]\nparallel = 17", 2, "shutdown.parallel", "from 1 to 16"),
    ('[order]\nready = "agent"', 2, "order.ready", 'a list, also of one: ["agent"]'),
    ('[order]\nready = ["agnet"]', 2, "order.ready", 'no rule; did you mean "agent"?'),
    ('[order]\nready = ["tcp:0"]', 2, "order.ready", '"tcp:PORT" takes a number from 1 to 65535'),
    ('[order]\nready = ["tcp:http"]', 2, "order.ready", 'a number from 1 to 65535, as in "tcp:54'),
    ('[order]\nready = ["delay"]', 2, "order.ready", 'takes a duration, as in "delay:20s"'),
    ('[order]\nready = ["agent", "agent"]', 2, "order.ready", "the same rule twice"),
    ("uris = []", 1, "uris", "a list of local libvirt URIs"),
    ('uris = "qemu:///system"', 1, "uris", "a list of local libvirt URIs"),
    ('uris = ["a:b", "a:b"]', 1, "uris", "the same connection twice"),
    ('[guest]\nmatch = "x"', 1, "guest", "[[guest]], in double brackets"),
    ("guest = 1", 1, "guest", "[[guest]], in double brackets"),
    ("guest = [1]", 1, "guest", "[[guest]], in double brackets"),
    ('\n[[guest]]\nsave = "none"', 2, "guest[1].match", "a name, a pattern"),
    ('[[guest]]\nmatch = ""', 2, "guest[1].match", "a name, a pattern"),
    ("[[guest]]\nmatch = 1", 2, "guest[1].match", "a name, a pattern"),
    ('[[guest]]\nmatch = "x"\nsave = 1', 3, "guest[1].save", "expected one of"),
    ('[[guest]]\nmatch = "x"\nsvae = 1', 3, "guest[1].svae", 'did you mean "save"?'),
    ('[[guest]]\nmatch = "x"\nmtach = 1', 3, "guest[1].mtach", 'did you mean "match"?'),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), ONE_PROBLEM)
def test_one_problem(tmp_path: Path, text: str, line: int, key: str, message: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert (problem.place, problem.key) == (Place(tmp_path / "one.toml", line), key)
    assert message in problem.message


@pytest.mark.parametrize(
    "row",
    [row for row in SETTINGS if not row.per_guest],
    ids=lambda row: f"{row.section}.{row.key}",
)
def test_what_is_for_the_whole_run_cannot_differ(tmp_path: Path, row: Any) -> None:
    (problem,) = problems(tmp_path, f'[[guest]]\nmatch = "x"\n{row.key} = 1')
    assert problem.key == f"guest[1].{row.key}"
    assert "for the whole run" in problem.message


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: f"{row.section}.{row.key}")
def test_a_wrong_value_says_what_was_expected_of_this_setting(tmp_path: Path, row: Any) -> None:
    header = f"[{row.section}]\n" if row.section else ""
    (problem,) = problems(tmp_path, f"{header}{row.key} = {{}}")
    assert row.kind.expected in problem.message


def test_the_second_guest_table_is_told_from_the_first(tmp_path: Path) -> None:
    text = '[[guest]]\nmatch = "a"\nsave = 1\n\n[[guest]]\nmatch = "b"\nsave = 2\n'
    found = problems(tmp_path, text)
    assert [(p.place.line, p.key) for p in found] == [(3, "guest[1].save"), (7, "guest[2].save")]


def test_all_problems_of_one_guest_table_are_told(tmp_path: Path) -> None:
    found = problems(tmp_path, '[[guest]]\nsvae = 1\npoweroff = "maybe"\nparallel = 3\n')
    keys = {problem.key for problem in found}
    assert keys == {"guest[1].match", "guest[1].svae", "guest[1].poweroff", "guest[1].parallel"}


def test_a_line_is_what_an_editor_calls_a_line(tmp_path: Path) -> None:
    """U+2028 and U+0085 may stand in a comment, and end no line in TOML."""
    (problem,) = problems(tmp_path, "# a\u2028b\x85c\n[boot]\nretries = true\n")
    assert problem.place.line == 3


def test_a_problem_reads_like_a_compiler_message() -> None:
    assert str(Problem(Place(Path("/a"), 3), "boot.x", "no")) == "/a:3: boot.x: no"
    assert str(Problem(Place(Path("/a")), "", "no")) == "/a: no"


# Several files
