"""Configuration files to settings, or to every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.config import files
from guestctl.config.config import Config, GuestOverride
from guestctl.config.problems import ConfigError, Place, Problem
from guestctl.config.reading import Reading, read
from guestctl.config.settings import (
    GUEST_SETTINGS,
    SECTIONS,
    SETTINGS,
    Boot,
    General,
    Shutdown,
    UserShutdown,
)
from guestctl.model.options import Method, Scope, Unverifiable, UserAction
from tests.unit.command import Command


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/guestctl."""
    monkeypatch.setattr(files, "MAIN_FILE", tmp_path / "guestctl.toml")
    monkeypatch.setattr(files, "DROP_INS", tmp_path / "conf.d")
    (tmp_path / "conf.d").mkdir()
    return tmp_path


def load(folder: Path, content: str | bytes) -> Config:
    """The configuration of one file with this content."""
    file = folder / "one.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(file).sound()


def problems(folder: Path, content: str | bytes) -> tuple[Problem, ...]:
    """What is wrong with a file with this content."""
    with pytest.raises(ConfigError) as caught:
        load(folder, content)
    return caught.value.problems


# One file


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config(General(), Shutdown(), Boot(), ())


def test_every_setting_is_read_into_its_own_place(tmp_path: Path) -> None:
    text = """
        uris = ["qemu:///session", "test:///default"]
        [shutdown]
        save = "none"
        shutdown = "persistent"
        poweroff = "transient"
        save-timeout = "1min"
        shutdown-timeout = "2min"
        job-timeout = "3min"
        methods = ["acpi"]
        parallel = 5
        bypass-cache = false
        save-reserve = "3MiB"
        settle = "3min"
        deadline = "4min"
        [boot]
        restore = false
        start-delay = "5s"
        parallel = 6
        retries = 7
        start-timeout = "8s"
        unverifiable = "hold"
        storage-timeout = "9s"
        managed-elsewhere = true
        sync-time = false
        [user-shutdown]
        action = "restart"
        request-window = "10s"
    """
    assert load(tmp_path, text) == Config(
        General(("qemu:///session", "test:///default")),
        Shutdown(
            Scope.NONE,
            Scope.PERSISTENT,
            Scope.TRANSIENT,
            60.0,
            120.0,
            180.0,
            (Method.ACPI,),
            5,
            False,
            3 * 2**20,
            180.0,
            240.0,
        ),
        Boot(False, 5.0, 6, 7, 8.0, Unverifiable.HOLD, 9.0, True, False),
        user_shutdown=UserShutdown(UserAction.RESTART, 10.0),
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
    ("[boot]\nzzzzz = 1", 2, "boot.zzzzz", "unknown key"),
    ("urls = []", 1, "urls", 'did you mean "uris"?'),
    ("[shutdwon]\nsave = 1", 1, "shutdwon", 'did you mean "shutdown"?'),
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
    ("[boot]\nstart-delay = 5", 2, "boot.start-delay", 'a number has no unit: write "90s"'),
    ('[boot]\nstart-delay = "5"', 2, "boot.start-delay", "expected a duration"),
    ('[shutdown]\ndeadline = "9s"', 2, "shutdown.deadline", "(less than 10s)"),
    ('[shutdown]\ndeadline = "9999d"', 2, "shutdown.deadline", "(longer than a year)"),
    ('[shutdown]\nsave = "transient"', 2, "shutdown.save", '"persistent", "none"'),
    ('[shutdown]\nsave = "All"', 2, "shutdown.save", "not 'All'"),
    ("[shutdown]\nmethods = []", 2, "shutdown.methods", "one or more of"),
    ('[shutdown]\nmethods = ["acpi", "acpi"]', 2, "shutdown.methods", "the same word twice"),
    ("[shutdown]\nparallel = 17", 2, "shutdown.parallel", "from 1 to 16"),
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


@pytest.mark.parametrize("row", [row for row in SETTINGS if not row.per_guest], ids=str)
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


def test_a_host_without_configuration_has_the_defaults(host: Path) -> None:
    (host / "conf.d").rmdir()
    assert read().sound() == Config()


def test_drop_ins_alone_are_enough(host: Path) -> None:
    (host / "conf.d/a.toml").write_text("boot.retries = 1")
    assert read().sound().boot.retries == 1


def test_later_files_win_key_by_key_and_guest_tables_add_up(host: Path) -> None:
    (host / "guestctl.toml").write_text('[boot]\nretries = 1\nparallel = 1\n[[guest]]\nmatch="a"')
    (host / "conf.d/20.toml").write_text('[boot]\nretries = 3\n[[guest]]\nmatch="c"')
    (host / "conf.d/10.toml").write_text('[boot]\nretries = 2\nparallel = 2\n[[guest]]\nmatch="b"')
    found = read().sound()
    assert (found.boot.retries, found.boot.parallel) == (3, 2)
    assert [override.match for override in found.guests] == ["a", "b", "c"]


@pytest.mark.parametrize("name", [".10.toml", ".#a.toml", "a.toml~", "a.conf", "a.toml.dpkg-old"])
def test_what_editors_and_dpkg_leave_is_not_read(host: Path, name: str) -> None:
    (host / "conf.d" / name).write_text("nonsense")
    assert read().sound() == Config()


def test_a_named_file_stands_alone(host: Path) -> None:
    (host / "guestctl.toml").write_text("nonsense")
    (host / "conf.d/a.toml").write_text("boot.retries = 1")
    assert load(host, "boot.parallel = 2") == Config(boot=Boot(parallel=2))


def test_what_can_be_used_is_used_and_the_rest_is_told(host: Path) -> None:
    """For units: a slip of the pen must not leave guests to their fate."""
    (host / "guestctl.toml").write_text("[boot]\nretries = -1\nparallel = 2\n")
    (host / "conf.d/10.toml").write_text("nonsense\n")
    (host / "conf.d/20.toml").write_text('[[guest]]\nmatch = "db"\nsave = "none"\nsvae = 1\n')
    found = read()
    assert found.config == Config(
        boot=Boot(parallel=2), guests=(GuestOverride("db", {"save": Scope.NONE}),)
    )
    assert [(p.place.file.name, p.key) for p in found.problems] == [
        ("guestctl.toml", "boot.retries"),
        ("10.toml", ""),
        ("20.toml", "guest[1].svae"),
    ]


def test_where_nothing_can_be_used_the_defaults_are(tmp_path: Path) -> None:
    found = read(tmp_path / "absent.toml")
    assert (found.config, len(found.problems)) == (Config(), 1)


def test_where_all_is_well_nothing_is_told(host: Path) -> None:
    file = host / "guestctl.toml"
    file.write_text("boot.parallel = 2")
    config = Config(boot=Boot(parallel=2))
    assert read() == Reading(config, (), (), {("boot", "parallel"): Place(file, 1)}, ())


def test_the_problems_of_all_files_are_told_at_once(host: Path) -> None:
    (host / "guestctl.toml").write_text("[boot]\nretries = true\nretires = 1\n")
    (host / "conf.d/10.toml").write_text("nonsense\n")
    (host / "conf.d/20.toml").write_bytes(b"\xff")
    (host / "conf.d/30.toml").mkdir()
    (host / "conf.d/40.toml").write_text("\n\nsave = 1\n")
    with pytest.raises(ConfigError) as caught:
        read().sound()
    found = [(p.place.file.name, p.place.line, p.key) for p in caught.value.problems]
    assert found == [
        ("guestctl.toml", 2, "boot.retries"),
        ("guestctl.toml", 3, "boot.retires"),
        ("10.toml", 1, ""),
        ("20.toml", None, ""),
        ("30.toml", None, ""),
        ("40.toml", 3, "save"),
    ]
    assert str(caught.value).count("\n") == 5


@pytest.mark.parametrize("name", ["MAIN_FILE", "DROP_INS"])
def test_what_may_not_be_looked_at_is_a_problem_and_not_the_defaults(
    host: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name too long stands for a folder without permission: modes do not stop root."""
    monkeypatch.setattr(files, name, host / ("x" * 300) / "there")
    with pytest.raises(ConfigError, match="cannot be read"):
        read().sound()


_LOAD = """
import pathlib, sys
from guestctl.config import files, reading
files.MAIN_FILE, files.DROP_INS = (pathlib.Path(sys.argv[1]) / n for n in ("main", "conf.d"))
for problem in reading.read().problems:
    print("problem:", problem)
"""


def test_drop_ins_that_may_not_be_listed_are_a_problem(command: Command) -> None:
    (command.home / "conf.d").mkdir(mode=0o300)
    result = command.python("-c", _LOAD, str(command.home))
    assert result.stdout.startswith("problem: ")
    assert "conf.d: cannot be read: Permission denied" in result.stdout


# Whatever comes

toml_values: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(
        ["1", "-1", "1.5", "nan", "true", '"90s"', '"all"', '"acpi"', '""', "1979-05-27", "'x'"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | inner.map(lambda item: f"{{ a = {item} }}")
    ),
    max_leaves=5,
)
toml_keys = st.sampled_from([*(row.key for row in SETTINGS), "match", "x", '"q k"', "a.b", "boot"])
toml_headers = st.sampled_from(
    ["[shutdown]", "[boot]", "[[guest]]", "[guest]", "[[boot]]", "[a.b]", "# \u2028", ""]
)
toml_lines = toml_headers | st.builds("{} = {}".format, toml_keys, toml_values)
toml_texts = st.lists(toml_lines, max_size=12).map("\n".join)


def _problems_of(file: Path) -> tuple[Problem, ...]:
    found = read(file)
    assert isinstance(found.config, Config)
    return found.problems


def _is_sound(folder: Path, content: bytes) -> None:
    file = folder / "one.toml"
    file.write_bytes(content)
    last = content.count(b"\n") + 1
    for problem in _problems_of(file):
        assert problem.place.file == file
        assert problem.message
        assert problem.place.line is None or 1 <= problem.place.line <= last


@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
@example(b"\x00")
@example(b"\xef\xbb\xbf")
@example(b"\r")
def test_arbitrary_bytes_are_a_configuration_or_a_problem(scratch: Path, content: bytes) -> None:
    _is_sound(scratch, content)


@given(toml_texts)
def test_arbitrary_tables_are_a_configuration_or_a_problem(scratch: Path, text: str) -> None:
    _is_sound(scratch, text.encode())


@given(st.lists(st.sampled_from(SETTINGS), unique=True))
def test_each_wrong_setting_is_told_once(scratch: Path, rows: list[Any]) -> None:
    """No problem hides another, wherever it stands."""
    by_section = {s: [r for r in rows if r.section == s] for s in SECTIONS}
    text = ""
    for section, wrong in by_section.items():
        header = f"[{section}]\n" if section else ""
        text += header + "".join(f"{row.key} = {{}}\n" for row in wrong)
    found = problems(scratch, text) if rows else ()
    expected = [f"{row.section}.{row.key}".lstrip(".") for row in SETTINGS if row in rows]
    assert sorted(problem.key for problem in found) == sorted(expected)
