"""Kinds of settings: what is read, what is refused, and that what is shown can be read again."""

from __future__ import annotations

import tomllib
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.kinds import (
    Kind,
    boolean,
    duration,
    duration_or_infinity,
    one_of,
    several_of,
    uri_list,
    whole_number,
    whole_number_or_none,
)
from guestctl.config.settings import SETTINGS, Setting
from guestctl.model.options import Method, Scope
from guestctl.model.units import MAX_DURATION, BadValue, parse_duration, show_duration, show_limit
from guestctl.model.uris import canonical

milliseconds = st.integers(0, round(MAX_DURATION * 1000))


@given(milliseconds)
def test_what_is_shown_reads_back_as_the_same_duration(count: int) -> None:
    assert parse_duration(show_duration(count / 1000)) == count / 1000


@given(st.floats(0, MAX_DURATION))
def test_showing_loses_less_than_a_millisecond(seconds: float) -> None:
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds, abs=0.000501)


@given(st.text(alphabet="0123456789.smhdin -") | st.text())
def test_any_text_is_a_bounded_duration_or_a_bad_value(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except BadValue:
        return
    assert 0 <= seconds <= MAX_DURATION


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("250ms", 0.25),
        ("10min", 600),
        ("1.5min", 90),
        ("1h 30min", 5400),
        ("1h30min", 5400),
        ("30min 1h", 5400),
        ("  5 s ", 5),
        ("1d", 86400),
        ("366d", MAX_DURATION),
        ("1.0004s", 1),  # to the millisecond, as it is shown
        ("3m", 180),
        ("180", 180),
        ("3", 3),
        ("1h 30", 3630),
        ("10min10", 610),
        ("10 10", 20),
        ("1 hour 2minutes", 3720),
        ("2hr 3sec 4msec", 7203.004),
        ("5000us", 0.005),
        ("2 weeks 1day", 15 * 86400),
        ("1M", 2629800),
        ("1month", 2629800),
        ("1y", 365.25 * 86400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "-1s", "+1s", "1s,2s", "1e3s", "inf", "1.s", "1 houre", "12.34.56", "1H", "٣s"],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadValue, match=r"^$"):
        parse_duration(text)


def test_a_duration_without_end_says_so() -> None:
    with pytest.raises(BadValue, match="must have an end"):
        parse_duration("infinity")


@pytest.mark.parametrize("text", ["367d", "366d 1ms", "9" * 400 + "d", "1000000000h"])
def test_a_duration_beyond_a_year_is_a_slip(text: str) -> None:
    with pytest.raises(BadValue, match="longer than a year"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (1, "1s"),
        (60, "1min"),
        (90, "90s"),
        (119, "119s"),
        (121, "2min 1s"),
        (125, "2min 5s"),
        (600, "10min"),
        (1500, "25min"),
        (3600, "1h"),
        (5400, "90min"),
        (86400, "1d"),
    ],
)
def test_durations_are_shown_as_a_person_would_write_them(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(13.743, "14s"), (6.82, "6s 800ms"), (0.05, "50ms"), (90.0, "90s")]
)
def test_limits_that_were_computed_are_shown_round(seconds: float, text: str) -> None:
    assert show_limit(seconds) == text


ACCEPTED: list[tuple[Kind[Any], object, object]] = [
    (duration(), "0s", 0.0),
    (duration(1), "1s", 1.0),
    (duration(), 180, 180.0),
    (duration(), 1.5, 1.5),
    (duration(), 0, 0.0),
    (duration_or_infinity(1), "infinity", inf),
    (duration_or_infinity(1), "90s", 90.0),
    (boolean(), True, True),
    (boolean(), False, False),
    (whole_number(1, 16), 1, 1),
    (whole_number(1, 16), 16, 16),
    (one_of(*Scope), "transient", Scope.TRANSIENT),
    (several_of(Method), ["acpi"], (Method.ACPI,)),
    (several_of(Method), ["acpi", "agent"], (Method.ACPI, Method.AGENT)),
    (uri_list(), ["qemu:///system"], ("qemu:///system",)),
    (uri_list(), ["a:///1", "b:///2"], ("a:///1", "b:///2")),
    (uri_list(), ["default"], ("default",)),
    (whole_number_or_none(1, 16), "none", None),
]


@pytest.mark.parametrize(("kind", "given_", "value"), ACCEPTED)
def test_accepted(kind: Kind[Any], given_: object, value: object) -> None:
    assert kind.parse(given_) == value


REFUSED: list[tuple[Kind[Any], object, str]] = [
    (duration(), -1, "less than nothing"),
    (duration(), float("nan"), "less than nothing"),
    (duration(), float("inf"), "longer than a year"),
    (duration(), 10**400, "longer than a year"),
    (duration(), True, "^$"),
    (duration(), [], "^$"),
    (duration(), "soon", "^$"),
    (duration_or_infinity(), float("inf"), "longer than a year"),
    (duration_or_infinity(1), "0s", "less than 1s"),
    (duration(1), "999ms", "less than 1s"),
    (duration(10), "9s", "less than 10s"),
    (boolean(), 1, "^$"),
    (boolean(), "true", "^$"),
    (boolean(), [], "^$"),
    (whole_number(1, 16), 0, "^$"),
    (whole_number(1, 16), 17, "^$"),
    (whole_number(1, 16), True, "^$"),
    (whole_number(1, 16), 4.0, "^$"),
    (whole_number(1, 16), "4", "^$"),
    (whole_number(0, 1), float("nan"), "^$"),
    (one_of(*Scope), "All", "^$"),
    (one_of(*Scope), "", "^$"),
    (one_of(*Scope), ["all"], "^$"),
    (one_of(Scope.ALL, Scope.NONE), "transient", "^$"),
    (several_of(Method), [], "^$"),
    (several_of(Method), "acpi", "^$"),
    (several_of(Method), ["acpi", 1], "^$"),
    (several_of(Method), ["acpi", "acpi"], "the same word twice"),
    (uri_list(), [], "^$"),
    (uri_list(), "qemu:///system", "^$"),
    (uri_list(), ["system"], "^$"),
    (uri_list(), [["a:b"]], "^$"),
    (uri_list(), ["a:b", "a:b"], "the same connection twice"),
    (uri_list(), ["qemu:///system", "qemu+unix:///system"], "the same connection twice"),
    (uri_list(), ["qemu:///session", "qemu:///system"], "the same connection twice"),
    (uri_list(), ["qemu+ssh://there/system"], "another host: it uses the transport ssh"),
    (uri_list(), ["qemu:///system", "qemu://there/system"], "it names the server there"),
]


@pytest.mark.parametrize(("kind", "given_", "detail"), REFUSED)
def test_refused(kind: Kind[Any], given_: object, detail: str) -> None:
    with pytest.raises(BadValue, match=detail):
        kind.parse(given_)


def test_what_is_expected_names_every_choice() -> None:
    assert all(f'"{scope}"' in one_of(*Scope).expected for scope in Scope)
    assert all(f'"{method}"' in several_of(Method).expected for method in Method)
    assert "1 to 16" in whole_number(1, 16).expected


def _shown(kind: Kind[Any], value: object) -> object:
    """The value as it comes back from the TOML that the kind writes."""
    return kind.parse(tomllib.loads(f"x = {kind.show(value)}")["x"])


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: f"{row.section}.{row.key}")
def test_every_default_is_a_value_of_its_own_kind(row: Setting) -> None:
    assert _shown(row.kind, row.default) == row.default


printable = st.text(st.characters(exclude_categories=["C"]))


uris = printable.map(lambda text: f"x:{text}")


def _daemon(uri: str) -> str:
    return canonical(uri, root=True)


@given(st.lists(uris, min_size=1, unique_by=_daemon).map(tuple))
def test_uris_are_shown_as_toml(uris: tuple[str, ...]) -> None:
    assert _shown(uri_list(), uris) == uris


@given(st.permutations(list(Method)), st.sampled_from(Scope), st.booleans(), st.integers(0, 100))
def test_words_and_numbers_are_shown_as_toml(
    methods: list[Method], scope: Scope, flag: bool, number: int
) -> None:
    assert _shown(several_of(Method), tuple(methods)) == tuple(methods)
    assert _shown(one_of(*Scope), scope) == scope
    assert _shown(boolean(), flag) is flag
    assert _shown(whole_number(0, 100), number) == number


def test_a_setting_for_one_guest_is_named_once_in_all_sections() -> None:
    """[[guest]] has no sections: a name in two of them would be ambiguous there."""
    names = [row.name for row in SETTINGS if row.per_guest]
    assert sorted(set(names)) == sorted(names)


def test_every_setting_says_what_it_means() -> None:
    assert [row.key for row in SETTINGS if not row.meaning.endswith(".")] == []
