"""Facts as text: nothing is lost in it, and whatever else is in a file is said to be wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.config.config import Config
from guestctl.control.facts import load
from guestctl.control.facts_text import FactsError, from_text, to_text
from guestctl.control.queries import guests, plan
from guestctl.control.requests import Failure, RequestError
from guestctl.decisions.host_facts import HostFacts, LostConnection
from guestctl.model.guest import Disk, DiskKind, DomainInfo
from guestctl.model.history import Attempt
from guestctl.model.plan import RunKind, Step
from guestctl.model.result import Trigger
from guestctl.model.save import SaveRecord, SaveState
from tests.examples import examples
from tests.sim.facts import parse_facts
from tests.unit.facts_values import host_facts
from tests.unit.makers import BOOT, URI, guest, guest_id, recorded

FACTS = HostFacts(
    BOOT,
    10**18,
    (URI, "test:///default"),
    owns_next_boot=True,
    sees_all=True,
    config=Config(),
    lost=(LostConnection("test:///default", "cannot connect", refused=True),),
    room={URI: 2**30 + 1},
    guests=(
        guest(
            'a\n]] "b" \\ \x1b \U0001f5a5',
            memory=2**29,
            info=DomainInfo(("it has a host device",), "oVirt", (Disk(DiskKind.FILE, "/a'b"),)),
        ),
        guest("plain", 2),
    ),
    records=(
        recorded(attempts=(Attempt(1, RunKind.PRESERVE, Trigger.HOST_STOP, Step.SAVE, 5),)),
        recorded(2, "held", hold=""),
    ),
    saves=(SaveRecord(guest_id(), 2**29, "ab", 1.5, SaveState.FAILED, "no"),),
)
TEXT = to_text(FACTS)


def line_of(start: str) -> int:
    """The number of the first line of TEXT that starts so."""
    lines = TEXT.splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


@given(host_facts)
@example(FACTS)
def test_facts_are_read_as_they_were_written(facts: HostFacts) -> None:
    text = to_text(facts)
    assert from_text(text) == facts
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@given(host_facts)
def test_a_story_can_be_told_of_any_facts(facts: HostFacts) -> None:
    specs, room = parse_facts(to_text(facts))
    assert room == facts.room
    assert [(spec.uri, spec.uuid, spec.name, spec.memory) for spec in specs] == [
        (*guest.id, guest.name, guest.memory) for guest in facts.guests
    ]


def test_sizes_can_be_read_by_people_where_nothing_is_lost() -> None:
    assert 'memory = "512MiB"' in TEXT
    assert f'"qemu:///system" = {2**30 + 1}' in TEXT


WRONG = [
    ("guestctl = ", "guestctl = 2\n#", "guestctl: expected a text"),
    ("at = ", "at = -1\n#", "at: expected a whole number from 0"),
    ("uris = ", "uris = 1\n#", "uris: expected a list"),
    ("owns-next-boot = ", "owns-next-boot = 0\n#", "owns-next-boot: expected true or false"),
    ("format = ", "format = 2\n#", "format: this version of guestctl reads format 1 alone"),
    ("name = ", "nmae = ", r"guest\[1\].nmae: unknown key"),
    ("name = ", '"n\\u001b" = ', r'guest\[1\]."n\\U0000001b": unknown key'),
    ("state = ", 'state = "up"\n#', r"guest\[1\].state: expected one of no state, running"),
    ("memory = ", 'memory = "big"\n#', r"guest\[1\].memory: expected a number, or a size such as"),
    ("seconds = ", "seconds = nan\n#", r"save\[1\].seconds: expected a number from 0 on"),
    ("settle = ", 'settle = "soon"\n#', "config.shutdown.settle: expected a duration such as"),
    ("retries = ", "tries = ", "config.boot.tries: unknown key"),
    ('"qemu:///system" = ', '"x" = []\n#', "room.x: expected a whole number"),
]


@pytest.mark.parametrize(("start", "instead", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_line(start: str, instead: str, message: str) -> None:
    broken = re.sub(f"^{re.escape(start)}", lambda _: instead, TEXT, count=1, flags=re.MULTILINE)
    with pytest.raises(FactsError, match=message) as caught:
        from_text(broken)
    assert caught.value.line == line_of(start)


def test_a_text_that_was_cut_off_between_lines_is_refused() -> None:
    lines = TEXT.splitlines(keepends=True)
    for number in range(1, len(lines)):
        with pytest.raises(FactsError, match="it is cut off"):
            from_text("".join(lines[:number]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no format"),
        ("format = 1\n[end]", "boot is missing|guestctl is missing"),
        ("format = ", "is not TOML"),
        ("x = " + "[" * 5000, "is not TOML: nested too deeply"),
        ("x = " + "9" * 5000, "is not TOML"),
        (TEXT + "[[config.guest]]\n", r"config.guest\[1\].match: expected a text"),
        (TEXT.partition("[[guest]]")[0] + "[guest]\n[end]", "an array of tables"),
    ],
)
def test_what_is_missing_is_told(text: str, message: str) -> None:
    with pytest.raises(FactsError, match=message):
        from_text(text)


# Whatever comes


def _answered(file: Path, content: bytes) -> None:
    """There are plans, or the file is said to be of no use."""
    file.write_bytes(content)
    try:
        facts = load(file, lambda _: None)
    except RequestError as error:
        _says(error, file)
    else:
        guests(facts)
        if not facts.nothing_read:
            plan(facts)


def _says(error: RequestError, file: Path) -> None:
    assert error.failure is Failure.WRONG_REQUEST
    assert str(error).startswith(f"cannot read facts: {file}")


@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_arbitrary_bytes_are_refused_in_words(scratch: Path, content: bytes) -> None:
    _answered(scratch / "facts", content)


@given(st.integers(0, len(TEXT)))
def test_a_file_that_was_cut_off_is_answered(scratch: Path, length: int) -> None:
    _answered(scratch / "facts", TEXT[:length].encode())


VALUES = ["0", "-1", "1e308", "5e-324", "nan", "inf", "9" * 30, "true", '""', '"x"', "[]", "[1]"]
VALUES += ["{}", "[{}]", '"1TiB"', "9223372036854775807", "1979-05-27", '"unknown"', '"running"']


@examples(5)
@given(
    st.lists(st.tuples(st.integers(0, TEXT.count("\n") - 1), st.sampled_from(VALUES)), max_size=3)
)
def test_any_value_in_any_place_is_answered(scratch: Path, changes: list[tuple[int, str]]) -> None:
    lines = TEXT.splitlines()
    for number, value in changes:
        key, equals, _ = lines[number].partition(" = ")
        lines[number] = f"{key} = {value}" if equals else lines[number]
    _answered(scratch / "facts", "\n".join(lines).encode())


@examples(3)
@given(st.lists(st.integers(0, TEXT.count("\n") - 1), min_size=1, max_size=5))
def test_any_line_may_be_missing_or_twice(scratch: Path, numbers: list[int]) -> None:
    lines = TEXT.splitlines()
    missing = [line for number, line in enumerate(lines) if number not in numbers]
    twice = [line for number, line in enumerate(lines) for _ in range(1 + (number in numbers))]
    _answered(scratch / "facts", "\n".join(missing).encode())
    _answered(scratch / "facts", "\n".join(twice).encode())


def test_what_could_not_be_read_is_told_again(scratch: Path) -> None:
    file = scratch / "facts"
    file.write_text(to_text(FACTS).replace("sees-all = true", "sees-all = false"))
    told: list[str] = []
    assert load(file, told.append).lost == FACTS.lost
    assert told == [
        "cannot connect",
        f"{file} has nothing of what is wanted of the guests: no root recorded it",
    ]


def test_where_no_connection_was_read_there_is_no_plan() -> None:
    facts = HostFacts(BOOT, 0, (URI,), False, True, Config(), (LostConnection(URI, "no", True),))
    with pytest.raises(RequestError, match=r"^no$") as caught:
        plan(facts)
    assert caught.value.failure is guests(facts)[1] is Failure.NOT_PERMITTED


RECORDED = Path(__file__).parent.parent / "scenarios/down/recorded-on-a-host/facts.toml"


def test_what_was_recorded_once_can_be_read_and_planned() -> None:
    """A report may be of an older version: a change of what is in format 1 makes it format 2."""
    found = load(RECORDED, pytest.fail)
    made, failure = plan(found)
    assert failure is None
    assert [
        (guest.guest.name, [str(step.step) for step in guest.steps]) for guest in made.guests
    ] == [
        ("guest-1", ["shutdown", "poweroff"]),
        ("guest-3", ["shutdown", "poweroff"]),
        ("guest-4", ["save", "shutdown", "poweroff"]),
    ]
    rows, _ = guests(found)
    assert [str(row.next_boot) for row in rows] == ["start", "held", "stay-down", "resume"]
